"""What every judge offers, and the answer it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from pancap.caption.content import CaptionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Whether another caption states each item, in the order of the items.

    An answer is True or False, or the share of an item's questions that were answered right (0.5 for one of two), or
    None where the judge gave no valid answer: such an item counts neither for nor against.

    Args:
        attributes: one answer for each attribute.
        relations: one answer for each relation.
        globals: one answer for each global item.
    """

    attributes: tuple[float | None, ...] = ()
    relations: tuple[float | None, ...] = ()
    globals: tuple[float | None, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One side's items, to be answered from the other side.

    Args:
        items: content whose items are asked about.
        other: content of the caption that answers.
        other_caption: that caption.
        mapping: entity id of `items` -> id of the same entity in `other`; matched entities only.
    """

    items: CaptionContent
    other: CaptionContent
    other_caption: str
    mapping: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReplies:
    """Replies of one step of a judge that asks a model.

    Args:
        num: replies that were needed.
        num_invalid: of them, those that no try made valid.
        reasons: how many of the invalid ones ended for which reason.
        num_asked: requests generated now, further tries included; the rest came from the store.
        prompt_tokens, completion_tokens: of the requests generated now.
        cached_tokens: prompt tokens that the prefix cache served, by the engine's own count; None where it is not told.
    """

    num: int
    num_invalid: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    num_asked: int = 0
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0

    def describe_tokens(self) -> str:
        """`12,345 in (93 % from the prefix cache), 678 out`; "" where no tokens are known."""
        if not self.prompt_tokens:
            return ""
        cached = ""
        if self.cached_tokens is not None:
            cached = f" ({100 * self.cached_tokens / self.prompt_tokens:.0f} % from the prefix cache)"
        return f"{self.prompt_tokens:,} in{cached}, {self.completion_tokens:,} out"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the reasons as short texts, since any words may stand in them."""
        return asdict(self) | {"reasons": [f"{num} {reason}" for reason, num in self.reasons.items()]}


@runtime_checkable
class BatchJudge(Protocol):
    """A judge that does many captions at a time, and may fail at some."""

    @property
    def label(self) -> str:
        """What stands in every result: name, version, and the model and prompts where there are any."""
        ...

    @property
    def replies(self) -> Mapping[str, StepReplies]:
        """Replies so far by step; empty for a judge that asks no model."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know of how they were judged."""
        ...

    def extract_all(self, captions: Sequence[str]) -> list[CaptionContent | None]:
        """Everything each caption states; None where the judge gave no valid reply."""
        ...

    def supported_all(self, inquiries: Sequence[Inquiry]) -> list[Support]:
        """Which items of each inquiry the other caption states."""
        ...

    def check(self) -> None:
        """Raises TooManyBadRowsError where too few replies were valid for a result."""
        ...

    def close(self) -> None:
        """Frees what the judge holds."""
        ...


class OneByOne:
    """A judge of single captions as one of many."""

    replies: Mapping[str, StepReplies] = {}
    notes: tuple[str, ...] = ()

    def __init__(self, judge: Judge) -> None:
        """Wraps it."""
        self._judge = judge
        self.label = f"{judge.name} v{judge.version}"

    def extract_all(self, captions: Sequence[str]) -> list[CaptionContent | None]:
        """One after the other."""
        return [self._judge.extract(caption) for caption in captions]

    def supported_all(self, inquiries: Sequence[Inquiry]) -> list[Support]:
        """One after the other."""
        return [self._judge.supported(inquiry.items, inquiry.other, inquiry.mapping) for inquiry in inquiries]

    def check(self) -> None:
        """It cannot fail."""

    def close(self) -> None:
        """It holds nothing."""
