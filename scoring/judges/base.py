"""What every judge offers, and the answer it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pancap.caption.content import CaptionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Whether another caption states each item, in the order of the items.

    Args:
        attributes: one answer for each attribute.
        relations: one answer for each relation.
        globals: one answer for each global item.
    """

    attributes: tuple[bool, ...] = ()
    relations: tuple[bool, ...] = ()
    globals: tuple[bool, ...] = ()


class Judge(Protocol):
    """Reads captions and compares what they say; the score is computed elsewhere, from its answers only."""

    @property
    def name(self) -> str:
        """Short name, kept in every result."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the answers may change."""
        ...

    def extract(self, caption: str) -> CaptionContent:
        """Everything the caption states."""
        ...

    def supported(self, items: CaptionContent, other: CaptionContent, mapping: Mapping[int, int]) -> Support:
        """Which attributes, relations and global items of `items` the other caption states.

        Args:
            items: content whose items are asked about.
            other: content of the caption that answers.
            mapping: entity id of `items` -> id of the same entity in `other`; matched entities only.
        """
        ...
