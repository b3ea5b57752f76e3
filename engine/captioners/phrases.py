"""Predicates, adjectives, articles and boxes: the pieces that English captions are put together from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pancap.caption.boxes import Box
from pancap.engine.captioners.words import (
    AUXILIARIES,
    COLOR_WORDS,
    DEFINITE_TAGS,
    IRREGULAR_PLURALS,
    MATERIAL_WORDS,
    NOT_VERBS,
    PATTERN_WORDS,
    POSITIONS,
    PROGRESSIVES,
    SHADE_WORDS,
    SINGULAR_TAGS_IN_S,
    SIZE_WORDS,
    TEXTURE_WORDS,
)

AdjectiveKind = Literal["size", "texture", "color", "pattern", "material"]

# The order in which English puts adjectives before a noun: a large round red striped wooden table.
ADJECTIVE_ORDER: tuple[AdjectiveKind, ...] = ("size", "texture", "color", "pattern", "material")
_KINDS: tuple[tuple[AdjectiveKind, frozenset[str]], ...] = (
    ("size", SIZE_WORDS),
    ("pattern", PATTERN_WORDS),
    ("material", MATERIAL_WORDS),
    ("texture", TEXTURE_WORDS),
)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A verb in the third person singular and what follows it: (`is`, `to the left of`), (`holds`, ``)."""

    verb: str
    rest: str

    @property
    def is_position(self) -> bool:
        """Whether it says where the subject is, so that the order can be turned round (`behind the car is ...`)."""
        return self.verb == "is" and self.rest in POSITIONS

    @property
    def is_part_of(self) -> bool:
        """Whether it ties a part to its whole."""
        return self.verb == "is" and self.rest in {"part of", "a part of"}

    def render(self, *, plural: bool = False, progressive: bool = False) -> str:
        """The predicate as words, agreeing with its subject (`holds`, `hold`, `is holding`, `are holding`)."""
        verb = self.verb
        if progressive and verb in PROGRESSIVES:
            verb = f"{'are' if plural else 'is'} {PROGRESSIVES[verb]}"
        elif plural:
            verb = _pluralize_verb(verb)
        return f"{verb} {self.rest}".strip()


def parse_predicate(text: str) -> Predicate | None:
    """Splits a predicate into verb and rest; a phrase without a verb gets `is`; None where there are no words.

    Example:
        >>> parse_predicate("has a striped pattern")
        Predicate(verb='has', rest='a striped pattern')
        >>> parse_predicate("red")
        Predicate(verb='is', rest='red')
    """
    words = text.split()
    while words and words[-1] in {".", ",", ";"}:
        words.pop()
    if not words:
        return None
    words[-1] = words[-1].rstrip(".,;") or words[-1]
    first = words[0].lower()
    if first == "are":
        return Predicate("is", " ".join(words[1:]))
    if first in AUXILIARIES or _looks_like_verb(first):
        return Predicate(first, " ".join(words[1:]))
    return Predicate("is", " ".join(words))


def _looks_like_verb(word: str) -> bool:
    return len(word) > 1 and word.isalpha() and word.endswith("s") and not word.endswith("ss") and word not in NOT_VERBS


def _pluralize_verb(verb: str) -> str:
    irregular = {"is": "are", "has": "have", "was": "were", "does": "do", "goes": "go", "lies": "lie", "ties": "tie"}
    if verb in irregular:
        return irregular[verb]
    if verb in AUXILIARIES and not verb.endswith("s"):
        return verb
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("ches", "shes", "xes")) else verb[:-1]


def adjective_kind(predicate: Predicate) -> AdjectiveKind | None:
    """Which kind of adjective the predicate is (`is dark red` -> color), or None where it cannot precede a noun."""
    words = predicate.rest.split()
    if predicate.verb != "is" or not words or len(words) > 2:
        return None
    shaded = len(words) == 2 and words[0] in SHADE_WORDS
    if words[-1] in COLOR_WORDS and (len(words) == 1 or shaded):
        return "color"
    if len(words) != 1:
        return None
    return next((kind for kind, known in _KINDS if words[0] in known), None)


def is_plural(tag: str) -> bool:
    """Whether a tag names several things at once (`clouds`, `stairs`).

    Example:
        >>> is_plural("stairs"), is_plural("bus"), is_plural("car")
        (True, False, False)
    """
    head = tag.split()[-1] if tag.split() else ""
    if head in IRREGULAR_PLURALS:
        return True
    return head.endswith("s") and not head.endswith(("ss", "us", "is")) and head not in SINGULAR_TAGS_IN_S


def is_definite(tag: str) -> bool:
    """Whether captions say "the" at the first mention (`sky`, `grass`)."""
    return bool(tag.split()) and tag.split()[-1] in DEFINITE_TAGS


def with_article(phrase: str, *, plural: bool = False) -> str:
    """The phrase with `a` or `an`; a plural stays bare."""
    if plural:
        return phrase
    an = phrase[:1].lower() in "aeiou" and not phrase.lower().startswith(("uni", "use", "one", "eu"))
    return f"{'an' if an else 'a'} {phrase}"


def render_box(box: Box) -> str:
    """`[[x1, y1, x2, y2]]`, three decimals; corners that rounding would merge are kept 0.001 apart.

    Example:
        >>> render_box(Box(0.0041, 0.3222, 0.454, 0.9268))
        '[[0.004, 0.322, 0.454, 0.927]]'
    """
    x1, x2 = _round_apart(box.x1, box.x2)
    y1, y2 = _round_apart(box.y1, box.y2)
    return f"[[{x1:.3f}, {y1:.3f}, {x2:.3f}, {y2:.3f}]]"


def _round_apart(low: float, high: float) -> tuple[float, float]:
    first, second = round(low * 1000), round(high * 1000)
    if first >= second:
        first, second = (first, first + 1) if first < 1000 else (999, 1000)
    return first / 1000, second / 1000


def join_words(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def join_verb_phrases(phrases: Sequence[str]) -> str:
    """Like `join_words`, with a comma before the last `and` where a phrase has an `and` of its own."""
    if len(phrases) > 1 and any(" and " in phrase for phrase in phrases):
        return f"{', '.join(phrases[:-1])}, and {phrases[-1]}"
    return join_words(phrases)


def as_sentence(text: str) -> str:
    """First letter in upper case, a full stop at the end."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
