"""Statements: what a verb or preposition and its noun phrases say about entities."""

from dataclasses import dataclass, field
from typing import Final

from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.reading.mentions import Mentions
from pancap.scoring.judges.reading.phrase import Phrase
from pancap.scoring.judges.reading.words import classify, ing_form, singular

Ids = tuple[int, ...]
MAX_SPREAD: Final = 8
"""A statement about a group is repeated for at most this many of its members."""

# `covered with snow`: a bare noun after these is a substance, not one more thing.
_COVERING: Final = word_set("cover fill dot speckle decorate adorn full compose make surround coat line dust")
_MAKING: Final = word_set("make compose build construct")
_COLOUR_NOUNS: Final = word_set("color colour hue shade")


@dataclass(slots=True)
class Facts:
    """What has been read so far; pairs and triples in order, each once.

    Args:
        attributes: (entity id, predicate).
        relations: (subject id, object id, predicate).
    """

    attributes: dict[tuple[int, str], None] = field(default_factory=dict)
    relations: dict[tuple[int, int, str], None] = field(default_factory=dict)


@dataclass(slots=True)
class Pending:
    """A predicate that waits for its object.

    Args:
        subject: ids of whom it is said.
        verb: in the third person, or `is` and a participle.
        base: base form of the verb.
        form: `ing` or `ed` where the verb can stand without an object, else empty.
        prepositions: those read after the verb; each makes a predicate of its own.
        is_negated: whether a negation belongs to it.
    """

    subject: Ids
    verb: str
    base: str = ""
    form: str = ""
    prepositions: list[str] = field(default_factory=list)
    is_negated: bool = False

    def texts(self) -> list[str]:
        """One predicate for each preposition, or the bare verb."""
        verb = self.verb
        if self.is_negated:
            is_copula = verb == "is" or verb.startswith("is ")
            verb = verb.replace("is", "is not", 1) if is_copula else f"does not {self.base or verb}"
        return [f"{verb} {preposition}" for preposition in self.prepositions] or [verb]


@dataclass(slots=True)
class Fronted(Pending):
    """A place named before its subject: `behind the man is a wall`."""

    subject: Ids = ()
    verb: str = "is"


class StatementReader:
    """Keeps the state of the clause that is being read, and turns predicates into facts.

    The subject is whom the clause speaks of, the main subject outlives a relative clause, and the focus is the noun
    phrase read last. A pending predicate waits for its object; the last one serves further items of a list, and the
    listing one comes back after an aside (`wears a hat on her head, a coat`). Talk is about the picture itself.
    """

    def __init__(self, mentions: Mentions) -> None:
        """Starts with what `mentions` already knows."""
        self.mentions = mentions
        self.facts = Facts()
        self._reset()

    def _reset(self) -> None:
        self._subject: Ids = ()
        self._main: Ids = ()
        self._focus: Ids = ()
        self._pending: Pending | None = None
        self._last: Pending | None = None
        self._listing: Pending | None = None
        self._fronted: list[tuple[list[str], Phrase, Ids]] = []
        self._is_copular = False
        self._has_verb = False
        self._is_subject_open = True
        self._is_negated = False
        self._is_doubted = False
        self._is_muted = False
        self._is_presented = False
        self._is_image_subject = False
        self._is_talk = False

    def _refer(self, phrase: Phrase, *, is_label: bool = False, is_feature: bool = False) -> Ids:
        """Finds or opens the entity, and notes its modifiers and its owner."""
        owner: Ids = ()
        if phrase.owner is not None and phrase.owner is not phrase:
            owner = self._refer(phrase.owner)
            if phrase.owner.pronoun and not owner:
                owner = self._main
        if self._is_doubted and not phrase.boxes:
            return ()
        ids = self.mentions.refer(
            phrase, owner=owner[0] if len(owner) == 1 else 0, is_label=is_label, is_feature=is_feature
        )[:MAX_SPREAD]
        for one in ids:
            for text in phrase.attributes:
                self.facts.attributes[one, text] = None
            for whole in owner:
                if whole != one:
                    self.facts.relations[one, whole, "is part of" if phrase.head in lx.PARTS else "belongs to"] = None
        return ids

    def _object(self, pending: Pending, phrase: Phrase) -> None:
        """Completes a predicate with this noun phrase."""
        self._last, self._pending = pending, None
        if isinstance(pending, Fronted):
            self._last = None
            self._focus = self._refer(phrase)
            self._fronted.append((pending.prepositions, phrase, self._focus))
        elif not pending.subject:
            self._object_without_subject(pending, phrase)
        elif pending.verb == "is" and not pending.prepositions:
            self._copular(pending, phrase)
        elif not self._object_as_attribute(pending, phrase):
            if phrase.boxes and phrase.determiner == "the" and self._box_is_of_subject(pending, phrase):
                self.mentions.place(pending.subject[0], phrase.boxes)
                phrase.boxes = ()
            ids = self._refer(phrase, is_feature=pending.verb in ("has", "wears"))
            self._relate(pending, phrase, ids)
            is_deed = pending.verb not in ("is", "has") and not pending.prepositions and phrase.head not in lx.FRAME
            self._focus = ids or (() if is_deed else pending.subject)

    def _object_without_subject(self, pending: Pending, phrase: Phrase) -> None:
        """`There is a dog`, `the image has a border`: what is presented becomes the subject."""
        if pending.verb == "is" and not pending.prepositions:
            if not (self._is_talk and phrase.is_bare and not phrase.is_plural):
                self._set_inverted_subject(phrase)
            return
        self._focus = self._refer(phrase)
        if not pending.prepositions:
            self._subject = self._main = self._focus

    def _object_as_attribute(self, pending: Pending, phrase: Phrase) -> bool:
        """Materials, written words and substances are said of the subject and open no entity."""
        if phrase.boxes:
            return False
        texts: list[str] = []
        if phrase.head in lx.MATERIALS and pending.base in _MAKING:
            texts = [*phrase.attributes, f"is made of {lx.MATERIALS[phrase.head]}"]
        elif singular(phrase.head) in lx.TEXT_NOUNS:
            texts = [text for text in phrase.attributes if text.startswith("shows the text")]
        elif pending.base in _COVERING and pending.prepositions and phrase.is_bare:
            self._relate(pending, phrase, ())
            return True
        for one in pending.subject[:MAX_SPREAD]:
            self.facts.attributes.update(dict.fromkeys((one, text) for text in texts))
        return bool(texts)

    def _box_is_of_subject(self, pending: Pending, phrase: Phrase) -> bool:
        """`A letter is printed on the bag [[...]]`, where the bag has another box already."""
        subject = self.mentions.all[pending.subject[0] - 1]
        return subject.box is None and self.mentions.is_boxed_elsewhere(phrase)

    def _set_inverted_subject(self, phrase: Phrase) -> None:
        """`There is a dog`, `behind the man is a wall`: the noun after the verb is the subject."""
        ids = self._subject = self._main = self._focus = self._refer(phrase)
        self._last = Pending((), "is")
        if ids:
            for texts, place, objects in self._fronted:
                self._relate(Pending(ids, "is", prepositions=texts), place, objects)
            self._fronted = []
            self.mentions.attend(ids)

    def _copular(self, pending: Pending, phrase: Phrase) -> None:
        """`The building is a white pavilion [[...]]`: the noun describes the subject."""
        verb = "is not" if pending.is_negated else "is"
        self.mentions.note_words(pending.subject, [*phrase.words, phrase.text])
        named = self._kind_named(phrase)
        for one in pending.subject[:MAX_SPREAD]:
            self.mentions.place(one, phrase.boxes)
            for text in phrase.attributes:
                self.facts.attributes[one, text.replace("is ", f"{verb} ", 1) if pending.is_negated else text] = None
            if named:
                self.facts.attributes[one, f"{verb} {named}"] = None
        self._focus = pending.subject

    @staticmethod
    def _kind_named(phrase: Phrase) -> str:
        """`a pavilion`, `largest`, `red`: what a noun phrase after `is` calls the subject; empty where nothing new."""
        if phrase.head in lx.COLOURS:
            return "" if phrase.words else phrase.head
        if classify(phrase.text).kind == "adjective":
            return phrase.text
        return "" if phrase.head in lx.ABSTRACT or phrase.pronoun or not phrase.text else f"a {phrase.text}"

    def _relate(self, pending: Pending, phrase: Phrase, objects: Ids) -> None:
        """A relation where the object is an entity, else an attribute."""
        for text in pending.texts():
            for subject in pending.subject[:MAX_SPREAD]:
                others = [
                    one for one in objects[:MAX_SPREAD] if one != subject and self._may_relate(pending, subject, one)
                ]
                for one in others:
                    self.facts.relations[subject, one, text] = None
                if not objects and not phrase.pronoun and not self._is_doubted:
                    self._attribute_with(subject, text, phrase)

    def _may_relate(self, pending: Pending, subject: int, other: int) -> bool:
        """Not `is in his hand` of the man himself, nor `the ball has a foot` in `kicks the ball with his foot`."""
        owner = self.mentions.all[other - 1].owner
        if pending.verb == "has":
            return not owner
        return owner != subject or not pending.prepositions

    def _attribute_with(self, subject: int, text: str, phrase: Phrase) -> None:
        if phrase.head in _COLOUR_NOUNS:
            for attribute in phrase.attributes:
                self.facts.attributes[subject, attribute] = None
            return
        article = {"": "", "some": ""}.get(phrase.determiner, "the " if phrase.is_definite else "a ")
        words = " ".join([*phrase.words, phrase.form or phrase.text])
        if phrase.text not in ("this", "one", "other"):
            self.facts.attributes[subject, f"{text} {article}{words}"] = None

    def _flush(self) -> None:
        """Turns a predicate that found no object into an attribute."""
        pending, self._pending = self._pending, None
        self._listing = None
        if pending is None or isinstance(pending, Fronted):
            return
        if pending.verb == "is" and pending.prepositions in (["on"], ["off"]):
            for one in pending.subject[:MAX_SPREAD]:
                self.facts.attributes[one, pending.texts()[0]] = None
        elif pending.form and pending.subject:
            for one in pending.subject[:MAX_SPREAD]:
                self.facts.attributes[one, self._intransitive(pending)] = None

    @staticmethod
    def _intransitive(pending: Pending) -> str:
        if pending.form == "ed":
            text = pending.verb
        else:
            text = f"is {ing_form(pending.base)}"
        if pending.is_negated:
            text = text.replace("is ", "is not ", 1)
        return text
