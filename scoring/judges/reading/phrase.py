"""A noun phrase, or one word that links noun phrases."""

from dataclasses import dataclass, field
from typing import Final

from pancap.caption.boxes import Box
from pancap.scoring.judges.reading.lexicon import word_set

_BARE_DETERMINERS: Final = frozenset(("", "some"))
_DEFINITE: Final = word_set("the this that these those its his her their both all each")


@dataclass(slots=True)
class Phrase:
    """A noun phrase, a run of adjectives, or one word that links them.

    Args:
        kind: `noun`, `adjective`, or the kind of the single token it stands for.
        text: the tag of a noun phrase, the base of a verb, else the token's text.
        form: the word as written (a participle keeps its form).
        head: last noun in the singular, for noun phrases.
        determiner: its determiner or quantifier, lower-case.
        words: modifiers in order, for coreference.
        attributes: predicates that the modifiers state (`is dark red`).
        owner: the noun phrase it belongs to (`the man's hat`, `the roof of the house`).
        number: how many, 0 where not said.
        ordinal: `the second car` is 2, `Boy 1` is 1, else 0.
        pronoun: `person`, `thing` or `group` for a pronoun.
        boxes: boxes written right after it.
        written: quotations inside it (`a "STOP" sign`).
        is_plural: whether the head is written in the plural.
    """

    kind: str
    text: str
    form: str = ""
    head: str = ""
    determiner: str = ""
    words: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    owner: "Phrase | None" = None
    number: int = 0
    ordinal: int = 0
    pronoun: str = ""
    boxes: tuple[Box, ...] = ()
    written: list[str] = field(default_factory=list)
    is_plural: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether it stands without article, number, owner and box, as substances do (`covered with snow`)."""
        return not (self.owner or self.number or self.boxes or self.pronoun) and self.determiner in _BARE_DETERMINERS

    @property
    def is_definite(self) -> bool:
        """Whether the phrase points at something already known."""
        return self.determiner in _DEFINITE or self.owner is not None
