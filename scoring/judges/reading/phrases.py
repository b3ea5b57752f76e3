"""Shallow parsing: from tokens to noun phrases and the words between them."""

from typing import Final

from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.reading.phrase import Phrase
from pancap.scoring.judges.reading.tokens import Token
from pancap.scoring.judges.reading.words import is_plural, singular

_OPENING: Final = frozenset(("determiner", "number", "adjective", "noun", "pronoun"))
_MAY_OPEN: Final = _OPENING | {"ed", "base", "third"}
_NOUN_LIKE: Final = frozenset(("noun", "adjective", "base", "third", "number"))
_AFTER_RELATIVE: Final = word_set("be have seem modal third base adverb negation")
# Adjectives that also name a thing: `the light casts`, `the right shows`.
_NOUN_ADJECTIVES: Final = word_set(
    "light right left top bottom front back rear side middle square round interior adult animal dark green young key"
    " female male public plaid oval crescent cartoon uniform plain official documentary"
)
# Pictures of the image, and things in it where they are new.
_HANGING: Final = frozenset(("picture", "photo", "photograph", "frame"))
_VERBAL: Final = frozenset(("be", "have", "seem", "modal"))
# Before these a form in -s is a verb: `this shows`.
_SINGULAR_DETERMINERS: Final = frozenset(("this", "that", "each", "every"))
# Verb forms that are more often nouns in captions.
_NOUN_FIRST: Final = word_set(
    "light plant sign seat shade shape color colour pattern texture shadow wave branch stain dot stripe label mark"
    " border line stack pile park sail row tie tile brush comb button zip pin clip snake bubble crack dent scratch"
    " chip curl crease wrinkle ripple design form display cap crown dress top plate coat paint pack load cut slice"
    " peel roll coil curve bend slope drop splash spray smoke fish pet swing ski surf cluster gather arch dome store"
    " house stock state flap puff fork wind film record photograph drink cook dance view lock shelter guard tower"
    " cross shop water land rain snow rust frost dust work train race field book hand star track frame print kayak"
    " canoe handle screen truck scoop skateboard snowboard paddle pedal board picnic camp parade dock garnish shine"
    " set break fall lead stop pose split leave drive reach focus contrast fade press protest cover"
)


# Of these, the plural is hardly ever a verb.
_STRONG_NOUNS: Final = word_set(
    "light plant sign seat shade shape color colour pattern texture shadow wave branch stain dot stripe label mark"
    " border line stack pile row tile brush comb button zip pin snake bubble crack dent scratch design cap crown plate"
    " coat pet wing cluster dome store house cross tower handle screen truck canoe kayak field book star board ripple"
    " wrinkle crease cover chip slice dress ski skateboard snowboard paddle pedal"
)


def describe(words: list[str]) -> list[str]:
    """The predicates that a run of modifiers states.

    Example:
        >>> describe(["small", "dark", "red", "wooden"])
        ['is small', 'is dark red', 'is made of wood']
    """
    predicates, shade = [], ""
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in lx.SHADES and following in lx.COLOURS:
            shade = word
        elif word in lx.MATERIALS:
            predicates.append(f"is made of {lx.MATERIALS[word]}" if lx.MATERIALS[word] != "woven" else "is woven")
        elif word not in lx.POSITION_ADJECTIVES and word not in lx.QUANTIFIERS and word not in lx.ORDINALS:
            predicates.append(f"is {shade} {word}" if shade else f"is {word}")
            shade = ""
    return predicates


def read_phrases(tokens: list[Token]) -> list[Phrase]:
    """Groups the tokens of a sentence; every token ends in exactly one phrase or is dropped as filler."""
    phrases: list[Phrase] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        phrase, after = _noun_phrase(tokens, index) if token.kind in _MAY_OPEN else (None, index)
        if phrase is None:
            phrase, after = _single(tokens, index)
        index = after
        if phrase is None:
            continue
        if phrase.kind == "box" and phrases and phrases[-1].kind == "noun" and _takes_box(phrases):
            phrases[-1].boxes = phrases[-1].boxes + tuple(box for box in phrase.boxes if box not in phrases[-1].boxes)
        elif phrase.kind == "quote" and phrases and phrases[-1].kind == "noun" and token.text:
            phrases[-1].attributes.append(f'shows the text "{token.text}"')
        else:
            phrases.append(phrase)
    return _join_of(phrases)


def _takes_box(phrases: list[Phrase]) -> bool:
    phrase = phrases[-1]
    if phrase.head == "camera" and phrase.is_definite and len(phrases) > 1:
        return phrases[-2].kind not in ("preposition", "to")
    if phrase.pronoun or phrase.head not in lx.FRAME:
        return not phrase.pronoun
    if phrase.attributes and not phrase.is_definite and phrase.head not in ("image", "scene", "view"):
        return True
    return phrase.head in _HANGING and (not phrase.is_definite or phrase.ordinal > 0 or len(phrases) == 1)


def _single(tokens: list[Token], index: int) -> tuple[Phrase | None, int]:
    token = tokens[index]
    if token.kind == "adjective":
        words = [token.text]
        index += 1
        while index < len(tokens) and tokens[index].kind == "adjective":
            words.append(tokens[index].text)
            index += 1
        return Phrase("adjective", " ".join(words), words=words, attributes=describe(words)), index
    if token.text == "that":
        return Phrase("relative", "that"), index + 1
    if token.kind in ("adverb", "number", "determiner") and token.text not in ("there", "here"):
        return None, index + 1
    if token.kind == "mark" and token.text not in "()":
        return None, index + 1
    text = token.base if token.kind in ("third", "base", "ing", "ed") else token.text
    return Phrase(token.kind, text, form=token.text, boxes=token.boxes), index + 1


def _noun_phrase(tokens: list[Token], start: int, owner: Phrase | None = None) -> tuple[Phrase | None, int]:
    """The noun phrase that starts here, or None."""
    token = tokens[start]
    if token.text == "that" and start + 1 < len(tokens) and tokens[start + 1].kind in _AFTER_RELATIVE:
        return None, start
    if token.kind == "pronoun" and owner is None:
        return Phrase("noun", token.text, pronoun=lx.PRONOUNS[token.text]), start + 1
    if owner is None and token.kind not in _OPENING and not _opens_with_verb_form(tokens, start):
        return None, start
    phrase = Phrase("noun", "", owner=owner, determiner="the" if owner else "")
    nouns: list[str] = []
    index = start
    while index < len(tokens):
        token = tokens[index]
        step = _step(tokens, index, phrase, nouns)
        if not step:
            break
        index += step
        if token.owner and nouns and index < len(tokens):
            return _owned(tokens, index, phrase, nouns, start)
    return _close(tokens, start, index, phrase, nouns)


def _owned(tokens: list[Token], index: int, phrase: Phrase, nouns: list[str], start: int) -> tuple[Phrase | None, int]:
    owner, _ = _close(tokens, start, index, phrase, nouns)
    owned, after = _noun_phrase(tokens, index, owner) if tokens[index].kind != "pronoun" else (None, index)
    return (owned, after) if owned is not None else (owner, index)


def _opens_with_verb_form(tokens: list[Token], index: int) -> bool:
    """Whether a verb form opens a noun phrase here: `scattered clouds`, `water`, `plants are`."""
    token = tokens[index]
    following = tokens[index + 1].kind if index + 1 < len(tokens) else ""
    before = tokens[index - 1].kind if index else ""
    if token.kind == "ed":
        is_before_noun = following in ("noun", "adjective") or (following == "third" and before != "")
        return is_before_noun and before in ("", "comma", "conjunction", "preposition", "have")
    if token.kind in ("base", "third"):
        if before in ("to", "modal", "relative", "pronoun") or (
            before in ("noun", "box", "base", "quote") and token.kind == "third"
        ):
            return False
        if before in ("noun", "box") and is_plural(tokens[index - 1].text):
            return False
        if following in _VERBAL or following in ("box", "third"):
            return True
        if token.base in _STRONG_NOUNS:
            return True
        if (
            token.kind == "third"
            and before in ("conjunction", "comma")
            and following in ("adverb", "preposition", "to")
        ):
            return False
        return token.base in _NOUN_FIRST and following not in ("determiner", "pronoun")
    return False


def _step(tokens: list[Token], index: int, phrase: Phrase, nouns: list[str]) -> int:
    """How many tokens from here belong to the noun phrase that is being read; 0 ends it."""
    token = tokens[index]
    kind, text = token.kind, token.text
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    next_kind = following.kind if following else ""
    if kind == "noun":
        nouns.append(text)
        return 1
    if kind == "number":
        return _take_number(token, phrase, nouns, next_kind)
    if kind == "quote" and text and phrase.determiner and not nouns and next_kind in ("noun", "adjective", "base"):
        phrase.written.append(text)
        return 1
    if nouns:
        if kind in ("third", "base") and _is_noun_here(token, nouns, next_kind):
            nouns.append(text)
            return 1
        is_head = text in _NOUN_ADJECTIVES and next_kind not in ("noun", "adjective")
        if kind == "adjective" and (is_head or (text in lx.MATERIALS and next_kind == "noun")):
            nouns.append(text)
            return 1
        return 0
    if kind == "determiner":
        if phrase.determiner or phrase.words:
            return 0
        phrase.determiner = text
        if text in lx.POSSESSIVES:
            phrase.owner = Phrase("noun", text, pronoun={"its": "thing", "their": "group"}.get(text, "person"))
        return 1
    if kind == "adjective":
        phrase.words.append(text)
        return 1
    is_verb = kind == "third" and next_kind not in _VERBAL and token.base not in _STRONG_NOUNS
    if is_verb and phrase.words and phrase.words[-1] in _NOUN_ADJECTIVES:
        return 0
    if kind == "third" and phrase.determiner in _SINGULAR_DETERMINERS:
        return 0
    if kind in ("base", "third") and (phrase.determiner or phrase.words or phrase.number or phrase.owner):
        nouns.append(text)
        return 1
    if kind in ("base", "third") and _opens_with_verb_form(tokens, index):
        nouns.append(text)
        return 1
    if kind in ("ing", "ed"):
        opened = phrase.determiner or phrase.words or phrase.owner or _opens_with_verb_form(tokens, index)
        if opened and next_kind in ("noun", "adjective", "base", "third", "ed", "ing", "number"):
            phrase.words.append(text)
            return 1
        if phrase.determiner and next_kind == "comma" and _noun_follows(tokens, index + 2):
            phrase.words.append(text)
            return 1
        return 0
    return _take_link(tokens, index, phrase)


def _take_number(token: Token, phrase: Phrase, nouns: list[str], next_kind: str) -> int:
    text = token.text
    if nouns:
        if text in lx.ORDINALS and text.isdigit():
            phrase.ordinal = lx.ORDINALS[text]
            return 1
        return 0
    if text in lx.ORDINALS and not text.isdigit():
        phrase.ordinal = lx.ORDINALS[text]
    elif text in lx.NUMBERS and next_kind in _NOUN_LIKE | {"ed", "ing"}:
        phrase.number = lx.NUMBERS[text]
        if text == "one" and not phrase.determiner:
            phrase.determiner = "one"
    elif text == "one":
        nouns.append(text)
        return 1
    if text in lx.INDEFINITE or text in lx.NEW_MARKERS:
        phrase.determiner = "another" if phrase.determiner in ("", "an", "a") and text == "other" else phrase.determiner
        phrase.determiner = phrase.determiner or text
    if text in ("other", "same"):
        phrase.words.append(text)
    return 1


def _take_link(tokens: list[Token], index: int, phrase: Phrase) -> int:
    """Adverbs, commas and `and` between the modifiers of one noun."""
    kind = tokens[index].kind
    nexts = [token.kind for token in tokens[index + 1 : index + 4]]
    if kind == "adverb" and nexts and nexts[0] in ("adjective", "ed", "ing") and (phrase.determiner or phrase.words):
        return 1
    is_link = kind == "comma" or (kind == "conjunction" and tokens[index].text in ("and", "or", "but"))
    if is_link and phrase.words and tokens[index - 1].kind in ("adjective", "ed"):
        if nexts[:2] == ["conjunction", "adjective"] and _noun_follows(tokens, index + 3):
            return 2
        if nexts and nexts[0] in ("adjective", "ed", "ing", "number") and _noun_follows(tokens, index + 2):
            return 1
        if (
            nexts[:1] == ["adverb"]
            and nexts[1:2] in (["adjective"], ["ed"], ["ing"])
            and _noun_follows(tokens, index + 3)
        ):
            return 1
    return 0


def _noun_follows(tokens: list[Token], index: int) -> bool:
    """Whether a noun closes the run of modifiers that goes on here."""
    for position, token in enumerate(tokens[index : index + 6], start=index + 1):
        if token.kind in ("noun", "base", "third"):
            return True
        following = tokens[position].kind if position < len(tokens) else ""
        if token.text in _NOUN_ADJECTIVES and (
            following in _VERBAL or following in ("box", "third", "preposition", "")
        ):
            return True
        if token.kind not in ("adjective", "ed", "ing", "comma", "conjunction", "number"):
            return False
    return False


def _is_noun_here(token: Token, nouns: list[str], next_kind: str) -> bool:
    """Whether a verb form after a noun is one more noun: `street lights are` against `the dog runs`."""
    if next_kind in _VERBAL:
        return True
    if next_kind in ("box", "third"):
        return token.kind == "base" or token.base in _NOUN_FIRST
    if token.kind == "base" and is_plural(nouns[-1]):
        return False
    if next_kind in ("determiner", "pronoun", "number", "to") or (next_kind == "preposition" and token.kind == "third"):
        return token.kind == "base" and token.base in _NOUN_FIRST and next_kind == "to"
    return token.kind == "base" or token.base in _NOUN_FIRST


def _close(tokens: list[Token], start: int, end: int, phrase: Phrase, nouns: list[str]) -> tuple[Phrase | None, int]:
    """Settles head, tag and attributes; a phrase without any noun is no noun phrase."""
    if not nouns:
        if phrase.words and phrase.determiner and phrase.words[-1] not in lx.QUANTIFIERS:
            nouns.append(_noun_of_adjective(phrase))
        elif phrase.determiner in ("this", "that", "these", "those", "each", "both", "another") and end > start:
            nouns.append("one" if phrase.determiner in ("another", "each") else "this")
        elif (phrase.ordinal and end > start) or (phrase.words and phrase.words[-1] == "other"):
            nouns.append("one")
        else:
            return None, start
    if nouns == ["ground"] and phrase.words[-1:] == ["middle"]:
        nouns, phrase.words = ["midground"], phrase.words[:-1]
    while len(nouns) > 1 and (nouns[0] in lx.MATERIALS):
        phrase.words.append(nouns.pop(0))
    if phrase.words and f"{phrase.words[-1]} {nouns[0]}" in lx.COMPOUNDS:
        nouns.insert(0, phrase.words.pop())
    phrase.head = nouns[-1] if nouns[-1] in lx.ABSTRACT else singular(nouns[-1])
    phrase.is_plural = is_plural(nouns[-1])
    phrase.text = " ".join(nouns)
    phrase.attributes = describe(phrase.words)
    if len(nouns) == 1 and phrase.head in lx.COLOURS and phrase.words:
        phrase.attributes = describe([*phrase.words, phrase.head])
    phrase.attributes += [f'shows the text "{text}"' for text in phrase.written]
    return phrase, end


def _noun_of_adjective(phrase: Phrase) -> str:
    """What stands for the noun in `the blue`, `the larger` and, where nothing can, in `a smooth`."""
    last = phrase.words[-1]
    if last.endswith(("er", "est")) and phrase.determiner == "the":
        return "one"
    phrase.words.pop()
    return "this" if last in lx.ADJECTIVES and last not in _NOUN_ADJECTIVES else last


def _join_of(phrases: list[Phrase]) -> list[Phrase]:
    """Joins `X of Y`: a measure or a share of Y is Y itself, anything else belongs to Y."""
    joined: list[Phrase] = []
    for phrase in phrases:
        if (
            phrase.kind == "noun"
            and len(joined) >= 2
            and joined[-1].kind == "preposition"
            and joined[-1].text == "of"
            and joined[-2].kind == "noun"
        ):
            first = joined[-2]
            if _is_measure(first) and phrase.head not in lx.FRAME:
                del joined[-2:]
                phrase.boxes = phrase.boxes or first.boxes
                phrase.determiner = phrase.determiner or first.determiner
                joined.append(phrase)
                continue
            if phrase.head in lx.FRAME or first.head in lx.ABSTRACT:
                joined.pop()
                first.form = f"{first.form or first.text} of the {phrase.text}"
                first.boxes = first.boxes or (phrase.boxes if phrase.head in lx.FRAME else ())
                continue
            joined.pop()
            if phrase.determiner or phrase.owner or phrase.pronoun or first.head in lx.PARTS:
                innermost = first
                while innermost.owner is not None and not innermost.owner.pronoun:
                    innermost = innermost.owner
                innermost.owner = phrase
            else:
                first.attributes.append(f"is of {phrase.text}")
            if phrase.boxes and not first.boxes:
                first.boxes, phrase.boxes = phrase.boxes, ()
            continue
        joined.append(phrase)
    return joined


def _is_measure(phrase: Phrase) -> bool:
    return singular(phrase.head) in lx.MEASURES
