"""Clauses: walks over the phrases of a sentence and finds who does what to whom."""

from typing import Final

from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.reading.phrase import Phrase
from pancap.scoring.judges.reading.phrases import read_phrases
from pancap.scoring.judges.reading.statements import MAX_SPREAD, Fronted, Ids, Pending, StatementReader
from pancap.scoring.judges.reading.tokens import Sentence
from pancap.scoring.judges.reading.words import third_person

# Prepositions that belong to the noun right before them, whatever the clause says.
_NEAR_NOUN: Final = word_set("with of in on inside within from at into like by without")
# A base form after one of these is the verb of the clause.
_BEFORE_VERB: Final = word_set("modal noun box relative pronoun quote negation comma conjunction")
_NAMED: Final = frozenset(("noun", "box", "quote"))
# A sentence that begins with one of these speaks of the whole image.
_WHOLE: Final = word_set(
    "lighting brightness illumination mood atmosphere ambiance ambience weather time tone viewpoint perspective style"
    " shadow shadows sunlight daylight visibility"
)


class ClauseReader(StatementReader):
    """Reads sentences one after another into `facts`."""

    def read(self, sentence: Sentence) -> None:
        """Adds what one sentence states; a label only sets the topic."""
        phrases = read_phrases(sentence.tokens)
        self.mentions.sentence += 1
        self._reset()
        self.mentions.is_closed = _is_of_whole(phrases) and not sentence.label
        if sentence.label:
            self._read_label(phrases)
            return
        for index, phrase in enumerate(phrases):
            handler = _HANDLERS.get(phrase.kind)
            if handler is not None:
                handler(self, phrases, index)
        self._flush()
        self.mentions.attend(self._main or self._subject)

    def _read_label(self, phrases: list[Phrase]) -> None:
        boxes = next((phrase.boxes for phrase in phrases if phrase.boxes), ())
        nouns = [phrase for phrase in phrases if phrase.kind == "noun" and not phrase.pronoun]
        if not nouns:
            return
        concrete = [noun for noun in nouns if noun.head not in lx.ABSTRACT]
        named = concrete[0] if concrete else nouns[0]
        if not boxes and (not concrete or len(nouns) > 1):
            return
        named.boxes = named.boxes or boxes
        named.determiner = named.determiner or "the"
        ids = self._refer(named, is_label=True)
        self.mentions.attend(ids)

    def _noun(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        if self._is_muted:
            is_new_clause = _follows_link(phrases, index) and _verb_follows(phrases, index)
            if not phrase.boxes and not is_new_clause:
                return
            self._is_muted = False
        if phrase.determiner in ("no", "neither") or (self._is_negated and self._pending is None and not phrase.boxes):
            self._pending = None
            self._focus = ()
            return
        if self._pending is not None:
            self._object(self._pending, phrase)
        elif self._is_list_item(phrases, index):
            self._object(self._last, phrase)  # type: ignore[arg-type]
        elif self._fronted and not self._subject and index and phrases[index - 1].text == "and":
            texts, _, _ = self._fronted[-1]
            self._fronted.append((texts, phrase, self._refer(phrase)))
        elif _follows_link(phrases, index) and self._is_subject_open and self._subject:
            self._subject = self._subject + tuple(one for one in self._refer(phrase) if one not in self._subject)
            self._focus = self._main = self._subject
        else:
            self._open_subject(phrases, index)

    def _is_list_item(self, phrases: list[Phrase], index: int) -> bool:
        """Whether this noun phrase goes on with a list of objects: `wearing a hat, a coat and boots`."""
        return self._last is not None and _follows_link(phrases, index) and not _verb_follows(phrases, index)

    def _open_subject(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        if self._is_talk and phrase.is_bare and not phrase.is_plural and not _verb_follows(phrases, index):
            return  # "the mood is calm and gritty"
        ids = self._refer(phrase)
        self._is_talk = not ids and phrase.head in lx.ABSTRACT
        was_inverted = self._has_verb and not self._subject
        self._subject = self._main = self._focus = ids
        self._last = None
        if ids:
            for texts, place, objects in self._fronted:
                self._relate(Pending(ids, "is", prepositions=texts), place, objects)
            self._fronted = []
            self.mentions.attend(ids)
        if not was_inverted and not self._is_presented:
            self._has_verb = self._is_copular = False
            self._is_subject_open = True
        self._is_presented = False

    def _box(self, phrases: list[Phrase], index: int) -> None:
        """A box that stands away from its noun belongs to the subject."""
        ids = self._subject or self._focus or (self.mentions.topic if index == 0 else ())
        boxes = phrases[index].boxes
        waiting = [one for one in ids if self.mentions.all[one - 1].box is None]
        waiting = waiting or [one for one in self._focus if self.mentions.all[one - 1].box is None]
        waiting = waiting or list(self.mentions.latest_without_box())
        for one, box in zip(waiting, boxes if len(waiting) > 1 else [boxes], strict=False):
            self.mentions.place(one, box if isinstance(box, tuple) else (box,))

    def _be(self, phrases: list[Phrase], index: int) -> None:
        self._flush()
        self._is_copular = self._has_verb = True
        self._is_subject_open = False
        self._pending = Pending(self._subject, "is", is_negated=_negation_near(phrases, index))
        self._is_negated = self._pending.is_negated

    def _have(self, phrases: list[Phrase], index: int) -> None:
        if index + 1 < len(phrases) and phrases[index + 1].kind in ("be", "ed"):
            return
        self._flush()
        self._has_verb = True
        self._is_copular = self._is_subject_open = False
        self._pending = Pending(self._subject, "has", base="have", is_negated=_negation_near(phrases, index))

    def _finite(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        self._flush()
        is_link = (
            self._has_verb and index and phrases[index - 1].kind in ("noun", "box") and self._focus != self._subject
        )
        subject = self._subject
        self._has_verb = True
        self._is_copular = self._is_subject_open = False
        if phrase.text in lx.INTERPRETING:
            self._is_muted = True
            self._last = None
            return
        if is_link and self._focus:
            subject = self._focus
        self._start_verb(subject, phrase, negated=_negated_before(phrases, index))

    def _start_verb(self, subject: Ids, phrase: Phrase, *, negated: bool = False, passive: bool = False) -> None:
        base = phrase.text
        if base in lx.PRESENTING:
            if not subject:
                self._is_presented = self._is_image_subject = True
                self._pending = None
                self._is_subject_open = False
                return
            has = not passive and base in ("contain", "feature", "include", "display", "present")
            verb = "has" if has or base == "consist" else third_person(base) if not passive else "is"
            self._pending = Pending(subject, verb, base=base)
        elif base in lx.LOCATING and (passive or base in ("occupy", "appear", "extend")):
            self._pending = Pending(subject, "is" if base != "extend" else "extends")
            if base == "occupy":
                self._pending.prepositions.append("in")
        elif passive:
            self._pending = Pending(subject, f"is {phrase.form}", base=base, form="ed", is_negated=negated)
        else:
            self._pending = Pending(subject, third_person(base), base=base, form="ing", is_negated=negated)

    def _ing(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        before = phrases[index - 1].kind if index else ""
        is_after_noun = before in _NAMED
        if phrase.text in lx.INTERPRETING and not self._is_copular_before(phrases, index):
            self._flush()
            self._is_muted, self._last = True, None
            return
        self._flush()
        subject = (self._focus or self._subject) if is_after_noun else self._subject
        if before == "preposition":
            return
        self._start_verb(subject, phrase, negated=_negated_before(phrases, index))

    def _ed(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        before = phrases[index - 1].kind if index else ""
        is_after_noun = before in _NAMED and not (self._is_copular and self._focus == self._subject)
        self._flush()
        subject = (self._focus or self._subject) if is_after_noun else self._subject
        self._start_verb(subject, phrase, negated=_negated_before(phrases, index), passive=True)

    @staticmethod
    def _is_copular_before(phrases: list[Phrase], index: int) -> bool:
        return index > 0 and phrases[index - 1].kind in ("be", "adverb", "negation")

    def _adjective(self, phrases: list[Phrase], index: int) -> None:
        """A predicative adjective, or one that stands after its noun."""
        phrase = phrases[index]
        if self._is_muted:
            return
        subject = self._subject if self._is_copular or not self._focus else self._focus
        if self._pending is not None and self._pending.verb == "is" and not self._pending.prepositions:
            subject = self._pending.subject
        negated = _negated_before(phrases, index) or (self._is_negated and self._is_copular)
        if not negated:
            self.mentions.note_words(subject, phrase.words)
        for one in subject[:MAX_SPREAD]:
            for text in phrase.attributes:
                self.facts.attributes[one, text.replace("is ", "is not ", 1) if negated else text] = None

    def _preposition(self, phrases: list[Phrase], index: int) -> None:
        phrase = phrases[index]
        text = phrase.text
        before = phrases[index - 1].kind if index else ""
        if self._is_muted:
            return
        if text in ("due to", "despite", "including", "except", "such as", "during", "like", "unlike"):
            self._flush()
            self._is_muted = text in ("due to", "despite", "during", "except")
            return
        if text == "of" and self._pending is not None and self._pending.verb == "has":
            return
        if text == "of" and before == "adjective" and self._subject:
            self._pending = Pending(self._subject, f"is {phrases[index - 1].text}", base=phrases[index - 1].text)
            self._pending.prepositions.append(text)
            return
        if text in ("with", "without") or self._pending is None:
            self._start_preposition(text, before, index)
            return
        self._pending.prepositions.append(text)

    def _start_preposition(self, text: str, before: str, index: int) -> None:
        is_after_verb = before in ("ed", "ing", "third", "base")
        if text == "with" and self._pending is not None and self._pending.form and is_after_verb:
            self._pending.prepositions.append(text)
            return
        self._flush()
        is_after_noun = before in _NAMED
        is_worn = self._last is not None and self._last.verb in ("has", "wears")
        is_near = is_after_noun and (text in _NEAR_NOUN or is_worn or not self._focus or not self._has_verb)
        listing = self._last if is_near and is_worn and text != "with" else None
        owner = self._focus if is_near else self._subject
        if not owner and not self._has_verb and not self._subject:
            self._pending = Fronted(prepositions=[text])
            return
        owner = owner or self._focus
        if text == "with" and before == "comma" and self._is_image_subject:
            self._pending = Pending((), "has")
        elif text == "with":
            self._pending = Pending(owner, "has")
        elif text == "without":
            self._pending = Pending(owner, "has", base="have", is_negated=True)
        else:
            self._pending = Pending(owner, "is", prepositions=[text])
        self._listing = listing

    def _to(self, phrases: list[Phrase], index: int) -> None:
        following = phrases[index + 1] if index + 1 < len(phrases) else None
        if following is None or following.kind in ("be", "base", "have"):
            return
        if self._pending is not None:
            self._pending.prepositions.append("to")
        elif following.kind == "noun" and not self._is_muted:
            before = phrases[index - 1].kind if index else ""
            self._start_preposition("to", before, index)

    def _base(self, phrases: list[Phrase], index: int) -> None:
        before = phrases[index - 1].kind if index else ""
        if before in _BEFORE_VERB:
            self._finite(phrases, index)
        elif before == "to" and not self._is_muted:
            self._start_verb(self._subject, phrases[index])

    def _relative(self, phrases: list[Phrase], index: int) -> None:
        self._flush()
        if self._focus:
            self._subject = self._focus
        self._is_subject_open = self._has_verb = self._is_copular = False

    def _comma(self, phrases: list[Phrase], index: int) -> None:
        if isinstance(self._pending, Fronted):
            self._pending = None
            return
        if self._pending is not None and self._pending.prepositions and self._next_is_preposition(phrases, index):
            return
        listing = self._listing
        self._flush()
        self._last = listing or self._last
        self._is_doubted = self._is_negated = False
        if self._main and self._subject != self._main:
            self._subject = self._main

    def _conjunction(self, phrases: list[Phrase], index: int) -> None:
        if self._pending is not None and self._pending.prepositions and self._next_is_preposition(phrases, index):
            return
        self._flush()
        self._is_doubted = False
        if phrases[index].text not in ("and", "or", "but"):
            self._last = None
            self._is_negated = False

    @staticmethod
    def _next_is_preposition(phrases: list[Phrase], index: int) -> bool:
        rest = [phrase.kind for phrase in phrases[index + 1 : index + 3] if phrase.kind != "conjunction"]
        return bool(rest) and rest[0] == "preposition"

    def _seem(self, phrases: list[Phrase], index: int) -> None:
        if (
            phrases[index].form in ("looks", "look")
            and index + 1 < len(phrases)
            and phrases[index + 1].kind in ("preposition", "to")
        ):
            self._flush()
            self._has_verb, self._is_subject_open = True, False
            self._pending = Pending(self._subject, "looks", base="look", form="ing")
            return
        self._be(phrases, index)

    def _colon(self, phrases: list[Phrase], index: int) -> None:
        self._flush()
        self._has_verb = False
        self._is_doubted = self._is_muted = False

    def _doubt(self, phrases: list[Phrase], index: int) -> None:
        self._is_doubted = True

    def _negation(self, phrases: list[Phrase], index: int) -> None:
        self._is_negated = True

    def _quote(self, phrases: list[Phrase], index: int) -> None:
        """Words in quotation marks are written on what the clause speaks about."""
        pending, text = self._pending, phrases[index].text
        self._pending = None
        ids = pending.subject if pending is not None and pending.subject else (self._focus or self._subject)
        if text and not self._is_muted:
            for one in ids[:MAX_SPREAD]:
                self.facts.attributes[one, f'shows the text "{text}"'] = None


def _is_of_whole(phrases: list[Phrase]) -> bool:
    """Whether a sentence without boxes speaks of light, mood or the like, and so presents no new entity."""
    first = next((phrase for phrase in phrases if phrase.kind == "noun"), None)
    return first is not None and first.head in _WHOLE and not any(phrase.boxes for phrase in phrases)


def _follows_link(phrases: list[Phrase], index: int) -> bool:
    """Whether a comma or conjunction stands right before."""
    return index > 0 and phrases[index - 1].kind in ("comma", "conjunction")


def _verb_follows(phrases: list[Phrase], index: int) -> bool:
    """Whether the noun phrase here has a finite verb of its own before the next comma or conjunction."""
    for phrase in phrases[index + 1 : index + 8]:
        if phrase.kind in ("be", "have", "third", "seem", "modal"):
            return True
        if phrase.kind == "base" and phrase.text not in ("light",):
            return True
        if phrase.kind in ("comma", "conjunction", "relative", "colon"):
            return False
    return False


def _negated_before(phrases: list[Phrase], index: int) -> bool:
    return any(phrase.kind == "negation" for phrase in phrases[max(0, index - 2) : index])


def _negation_near(phrases: list[Phrase], index: int) -> bool:
    return any(phrase.kind == "negation" for phrase in phrases[index + 1 : index + 2])


_HANDLERS: Final = {
    "noun": ClauseReader._noun,
    "box": ClauseReader._box,
    "be": ClauseReader._be,
    "seem": ClauseReader._seem,
    "have": ClauseReader._have,
    "third": ClauseReader._finite,
    "base": ClauseReader._base,
    "ing": ClauseReader._ing,
    "ed": ClauseReader._ed,
    "adjective": ClauseReader._adjective,
    "preposition": ClauseReader._preposition,
    "to": ClauseReader._to,
    "relative": ClauseReader._relative,
    "comma": ClauseReader._comma,
    "conjunction": ClauseReader._conjunction,
    "colon": ClauseReader._colon,
    "doubt": ClauseReader._doubt,
    "negation": ClauseReader._negation,
    "quote": ClauseReader._quote,
}
