"""The judge that asks a language model (see the package for what it decides and why)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pancap.caption.content import CaptionContent
from pancap.configs.errors import TooManyBadRowsError
from pancap.llm.base import Generator, Message, Reply, Request
from pancap.llm.loading import load_generator
from pancap.llm.store import ReplyStore, StoredGenerator
from pancap.scoring.judges.base import Inquiry, StepReplies, Support
from pancap.scoring.judges.llm.config import LlmJudgeConfig
from pancap.scoring.judges.llm.extraction import Extraction, extraction_schema, number_boxes, read_extraction
from pancap.scoring.judges.llm.prompts import load_prompts
from pancap.scoring.judges.llm.quoting import quote_caption
from pancap.scoring.judges.llm.replies import InvalidReplyError, reply_text
from pancap.scoring.judges.llm.statements import (
    ANSWERS,
    CONTRADICTION_SCHEMA,
    Statement,
    ask_contradiction,
    ask_support,
    describe_caption,
    read_contradiction,
    read_support,
    state_items,
)

ValueT = TypeVar("ValueT")
Progress = Callable[[str, int, int | None], None]

_CONTRADICTION_TOKENS = 128
_ANSWER_TOKENS = 16  # two words, and the object around them where an endpoint wants one
_RETRY_TEMPERATURE = 0.7  # at 0 the same invalid reply would come again


@dataclass(slots=True)
class _Step:
    """Counts of one kind of request."""

    num: int = 0
    num_done: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One statement to be decided, and the caption that decides it.

    Args:
        inquiry: place of its inquiry.
        place: place among the inquiry's items.
        context: what all statements about the caption share.
        statement: what is asked.
    """

    inquiry: int
    place: int
    context: str
    statement: Statement


class LlmJudge:
    """Asks a model, remembers every reply.

    Args:
        config: model, prompts, store, limits.
        generator: asked instead of the configured one.
        on_progress: called with the step, the replies so far, and how many are known to be needed.

    Raises:
        UsageError: the configuration cannot be meant, or the store is in use.
    """

    def __init__(
        self,
        config: LlmJudgeConfig,
        *,
        generator: Generator | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        """Opens the store; the model is loaded when it is first asked."""
        self._config = config
        self._prompts = load_prompts(config.prompts)
        self._on_progress = on_progress
        self._steps: dict[str, _Step] = defaultdict(_Step)
        self._num_dropped = self._num_full = 0
        generator = generator or load_generator(config)
        self.label = f"llm {generator.model}, prompts {self._prompts.version}-{self._prompts.digest}"
        self._generator = StoredGenerator(
            generator, ReplyStore(config.store), about={"prompts": f"{self._prompts.version}-{self._prompts.digest}"}
        )

    @property
    def replies(self) -> Mapping[str, StepReplies]:
        """Replies so far by step."""
        found = {}
        for name, step in self._steps.items():
            usage = self._generator.usage[name]
            found[name] = StepReplies(
                num=step.num_done,
                num_invalid=step.reasons.total(),
                reasons=dict(step.reasons.most_common()),
                num_asked=usage.asked,
                prompt_tokens=usage.prompt_tokens,
                cached_tokens=usage.cached_tokens,
                completion_tokens=usage.completion_tokens,
            )
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know about the extractions."""
        notes = []
        if self._num_dropped:
            notes.append(f"{self._num_dropped} lines of the judge's extractions were unusable and left out")
        if self._num_full:
            notes.append(f"{self._num_full} extractions filled a list of llm.max_items={self._config.max_items}")
        return tuple(notes)

    def extract_all(self, captions: Sequence[str]) -> list[CaptionContent | None]:
        """Everything each caption states; None where no try gave a valid reply. Empty captions are not asked about."""
        schema = extraction_schema(max_items=self._config.max_items)
        places = [place for place, caption in enumerate(captions) if caption.strip()]
        numbered = [number_boxes(captions[place]) for place in places]
        requests = [
            self._request(
                "extract",
                self._prompts.extract,
                f"{quote_caption(text)}\nReply:",
                max_tokens=self._config.max_tokens,
                schema=schema,
            )
            for text, _ in numbered
        ]

        def read(text: str, index: int) -> Extraction:
            return read_extraction(text, numbered[index][1], max_items=self._config.max_items)

        contents: list[CaptionContent | None] = [CaptionContent() for _ in captions]
        for place, extraction in zip(places, self._ask("extract", requests, read), strict=True):
            contents[place] = extraction.content if extraction else None
            self._num_dropped += extraction.num_dropped if extraction else 0
            self._num_full += bool(extraction and extraction.is_full)
        return contents

    def supported_all(self, inquiries: Sequence[Inquiry]) -> list[Support]:
        """For each item the share of its two statements that the other caption decides rightly; see `Support`.

        Items whose entities have no match, and items against an empty caption, are 0 without being asked.
        """
        answers: list[list[float | None]] = []
        items: list[_Item] = []
        for number, inquiry in enumerate(inquiries):
            statements = list(state_items(inquiry.items, inquiry.mapping))
            answers.append([0.0] * len(statements))
            if inquiry.other_caption.strip():
                context = describe_caption(inquiry.other_caption, inquiry.other)
                items += [
                    _Item(inquiry=number, place=place, context=context, statement=statement)
                    for place, statement in enumerate(statements)
                    if statement
                ]
        contradictions = self._contradict([item.statement for item in items])
        for item, answer in zip(items, self._answer(items, contradictions), strict=True):
            answers[item.inquiry][item.place] = answer
        return [_support(inquiry.items, given) for inquiry, given in zip(inquiries, answers, strict=True)]

    def check(self) -> None:
        """Refuses a result that too few valid replies stand behind.

        Raises:
            TooManyBadRowsError: a step has fewer than `min_valid`.
        """
        for name, step in self.replies.items():
            if step.num - step.num_invalid < self._config.min_valid * step.num:
                reasons = ", ".join(f"{num} {reason}" for reason, num in list(step.reasons.items())[:5])
                raise TooManyBadRowsError(
                    f"{step.num_invalid} of {step.num} replies of the judge's step {name} are invalid ({reasons}); "
                    f"a result needs {100 * self._config.min_valid:g} % valid ones (llm.min_valid), which are kept in "
                    f"{self._config.store}"
                )

    def close(self) -> None:
        """Frees the model and lets another run have the store."""
        self._generator.close()

    def _contradict(self, statements: Sequence[Statement]) -> list[str | None]:
        requests = [
            self._request(
                "contradict",
                self._prompts.contradict,
                ask_contradiction(statement),
                max_tokens=_CONTRADICTION_TOKENS,
                schema=CONTRADICTION_SCHEMA,
            )
            for statement in statements
        ]
        return self._ask("contradict", requests, lambda text, index: read_contradiction(text, statements[index]))

    def _answer(self, items: Sequence[_Item], contradictions: Sequence[str | None]) -> list[float | None]:
        """None where there is no contradiction, or no valid answer."""
        asked = [(item, text) for item, text in zip(items, contradictions, strict=True) if text is not None]
        requests = [
            self._request(
                "answer",
                self._prompts.answer,
                f"{item.context}\n\n{ask_support(item.statement, text)}",
                max_tokens=_ANSWER_TOKENS,
                choices=ANSWERS,
            )
            for item, text in asked
        ]

        def read(text: str, index: int) -> float:
            return read_support(text, asked[index][0].statement, asked[index][1])

        answers = iter(self._ask("answer", requests, read))
        return [None if text is None else next(answers) for text in contradictions]

    def _request(
        self, purpose: str, prompt: str, text: str, *, max_tokens: int, schema: str = "", choices: tuple[str, ...] = ()
    ) -> Request:
        """The static prompt first, then what differs."""
        return Request(
            messages=(Message(role="system", text=prompt), Message(role="user", text=text)),
            max_tokens=max_tokens,
            schema=schema,
            choices=choices,
            seed=self._config.seed,
            purpose=purpose,
        )

    def _ask(self, name: str, requests: Sequence[Request], read: Callable[[str, int], ValueT]) -> list[ValueT | None]:
        """Asks, and asks again with other seeds where a reply is invalid.

        Args:
            name: the step.
            requests: what is asked.
            read: the value of a reply's text; given the place of its request, raises InvalidReplyError.
        """
        step = self._steps[name]
        step.num += len(requests)
        values: list[ValueT | None] = [None] * len(requests)
        left = list(range(len(requests)))
        for attempt in range(self._config.retries + 1):
            again: list[int] = []
            tried = [_vary(requests[place], attempt) for place in left]
            for index, reply in self._generator.generate(tried):
                place = left[index]
                try:
                    values[place] = read(reply_text(reply), place)
                except InvalidReplyError as error:
                    if attempt < self._config.retries and _may_change(reply):
                        again.append(place)
                        continue
                    step.reasons[str(error)] += 1
                step.num_done += 1
                if self._on_progress:
                    self._on_progress(name, step.num_done, step.num)
            left = sorted(again)
        return values


def _vary(request: Request, attempt: int) -> Request:
    """The request as it is, or for a further try sampled with another seed."""
    if not attempt:
        return request
    return replace(request, temperature=_RETRY_TEMPERATURE, seed=request.seed + attempt)


def _may_change(reply: Reply) -> bool:
    """Whether another try may help: a request that was refused or failed has been tried enough."""
    return reply.finish not in ("refused", "failed")


def _support(items: CaptionContent, answers: Sequence[float | None]) -> Support:
    """Answers in the order of `state_items`, by kind."""
    num_attributes, num_relations = len(items.attributes), len(items.relations)
    return Support(
        attributes=tuple(answers[:num_attributes]),
        relations=tuple(answers[num_attributes : num_attributes + num_relations]),
        globals=tuple(answers[num_attributes + num_relations :]),
    )
