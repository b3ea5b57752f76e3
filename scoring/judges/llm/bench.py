"""What an evaluation costs a model, counted without one: `pancap bench judge`.

The rule-based judge reads the captions, and its contents go through `LlmJudge` as if a model had written them. So every
request is the one that a model would be given, in the same order. The published protocol is counted over the same
contents and matches: six calls a pair (extract, ask and answer, for each side), which write lines
`ID | class -->> (...)`.

What is assumed: a contradiction is as long as its statement and one word; a published question is as long as its
statement; a published question file repeats the entity and location lines, an answer file does not; every reply but one
of fixed length ends with an end token. Tokens that a chat template adds are not counted.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from pancap.caption.content import CaptionContent
from pancap.configs.errors import UsageError
from pancap.llm.base import Reply, Request
from pancap.llm.sentencepiece import load_sentencepiece
from pancap.scoring.encoder import load_encoder
from pancap.scoring.files import align, load_captions
from pancap.scoring.judges.base import Inquiry, Support
from pancap.scoring.judges.llm.config import LlmJudgeConfig
from pancap.scoring.judges.llm.extraction import number_boxes
from pancap.scoring.judges.llm.judge import LlmJudge
from pancap.scoring.judges.llm.prompts import STEPS
from pancap.scoring.judges.llm.published_protocol import answer_lines, content_lines, question_lines
from pancap.scoring.judges.llm.quoting import quote_caption
from pancap.scoring.judges.rule import RuleJudge
from pancap.scoring.score import Scorer

TARGET_ALL = 3.0
TARGET_ANSWERS = 8.0

Progress = Callable[[str, int, int | None], None]
Tokenize = Callable[[str], Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class JudgeBenchConfig:
    """Which captions are counted, and in whose tokens."""

    captions: str
    """Reference captions: any file that `pancap score` reads."""
    candidates: str = ""
    """Candidate captions of the same images; empty: the references in random pairs, each caption in one pair."""
    num: int = 200
    """Pairs at most."""
    tokenizer: str = ""
    """A SentencePiece model; empty for the 32,000 pieces of mistral_common's tokenizer.model.v1, which vLLM brings."""
    encoder: str = "none"
    """Similarity of tags in the matching, as in `pancap score`: minilm, none or a model folder."""
    seed: int = 0
    """Of the random pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """One step over all pairs.

    Args:
        requests: equal ones are asked once.
        prompt_tokens: of these requests.
        shared_tokens: of them, those with which the request before began as well; a prefix cache computes them once.
        decode_steps: tokens of the replies, the end token with them where one is needed.
        published_requests, published_decode_steps: of the published protocol.
    """

    requests: int
    prompt_tokens: int
    shared_tokens: int
    decode_steps: int
    published_requests: int
    published_decode_steps: int

    @property
    def ratio(self) -> float:
        """Decode steps of the published protocol for one of ours."""
        return self.published_decode_steps / max(1, self.decode_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeBench:
    """Costs by step.

    Args:
        num_pairs: candidates against their references.
        tokenizer: whose tokens are counted.
        steps: of the judge's steps; published `ask` stands under `contradict`.
    """

    num_pairs: int
    tokenizer: str
    steps: Mapping[str, StepCost]

    @property
    def total(self) -> StepCost:
        """All steps together."""
        rows = [asdict(step) for step in self.steps.values()]
        return StepCost(**{name: sum(row[name] for row in rows) for name in rows[0]})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        steps = {**self.steps, "all": self.total}
        return {
            "num_pairs": self.num_pairs,
            "tokenizer": self.tokenizer,
            "steps": {name: asdict(step) | {"ratio": round(step.ratio, 2)} for name, step in steps.items()},
            "target_all": TARGET_ALL,
            "target_answers": TARGET_ANSWERS,
            "is_reached": self.total.ratio >= TARGET_ALL and self.steps["answer"].ratio >= TARGET_ANSWERS,
        }

    def render(self) -> str:
        """A plain table."""
        lines = [
            f"{self.num_pairs} pairs of captions, tokens of {self.tokenizer}",
            f"{'':<12}{'requests':>9}{'prompt tokens':>15}{'shared':>8}{'decode steps':>14}{'a pair':>8}"
            f"{'published':>12}{'a pair':>8}{'fewer':>8}",
        ]
        for name, step in [*self.steps.items(), ("all", self.total)]:
            shared = 100 * step.shared_tokens / max(1, step.prompt_tokens)
            lines.append(
                f"{name:<12}{step.requests:>9,}{step.prompt_tokens:>15,}{shared:>6.1f} %{step.decode_steps:>14,}"
                f"{step.decode_steps / self.num_pairs:>8,.0f}{step.published_decode_steps:>12,}"
                f"{step.published_decode_steps / self.num_pairs:>8,.0f}{step.ratio:>6.1f} x"
            )
        lines.append(f"targets: {TARGET_ALL:g} x fewer decode steps in all, {TARGET_ANSWERS:g} x fewer of answer")
        return "\n".join(lines)


def bench_judge(config: JudgeBenchConfig, *, on_progress: Progress | None = None) -> JudgeBench:
    """Counts the requests of an evaluation and what their replies would cost.

    Raises:
        UsageError: a caption file cannot be read, there are too few captions, or the tokenizer is missing.
    """
    if config.num < 1:
        raise UsageError(f"num must be >= 1, got {config.num}")
    name, tokenize = _load_tokenizer(config.tokenizer)
    pairs = _load_pairs(config)
    reader = RuleJudge()
    contents: dict[str, CaptionContent] = {}
    for pair in pairs:
        contents |= {caption: reader.extract(caption) for caption in pair if caption not in contents}
        if on_progress:
            on_progress("read", len(contents), None)
    with tempfile.TemporaryDirectory() as folder:
        judge = _RecordingJudge(
            LlmJudgeConfig(model="replay", store=os.path.join(folder, "replies.jsonl"), max_items=10_000),
            generator=_Replay(contents, tokenize),
            on_progress=on_progress,
        )
        try:
            Scorer(judge=judge, encoder=load_encoder(config.encoder)).score_many(pairs)
        finally:
            judge.close()
    published = _count_published(judge.inquiries, tokenize)
    return JudgeBench(
        num_pairs=len(pairs),
        tokenizer=name,
        steps={
            step: StepCost(
                requests=(found := judge.replies[step]).num_asked,
                prompt_tokens=found.prompt_tokens,
                shared_tokens=found.cached_tokens or 0,
                decode_steps=found.completion_tokens,
                published_requests=len(judge.inquiries),
                published_decode_steps=published[step],
            )
            for step in STEPS
        },
    )


class _Replay:
    """Answers the judge's requests with what was read by rule, and counts tokens."""

    model = identity = "replay"

    def __init__(self, contents: Mapping[str, CaptionContent], tokenize: Tokenize) -> None:
        self._tokenize = tokenize
        self._extractions = {}
        for caption, content in contents.items():
            text, boxes = number_boxes(caption)
            self._extractions[f"{quote_caption(text)}\nReply:"] = _extraction(content, boxes)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        before: Sequence[int] = ()
        for place, request in enumerate(requests):
            prompt = self._tokenize("\n".join(message.text for message in request.messages))
            text = self._write(request)
            yield (
                place,
                Reply(
                    text=text,
                    finish="stop",
                    prompt_tokens=len(prompt),
                    cached_tokens=_num_shared(before, prompt),
                    completion_tokens=len(self._tokenize(text)) + (not request.choices),
                ),
            )
            before = prompt

    def close(self) -> None:
        """Holds nothing."""

    def _write(self, request: Request) -> str:
        text = request.messages[-1].text
        if request.purpose == "extract":
            return self._extractions[text]
        if request.purpose == "contradict":
            statement = text.split("\nTrue: ", 1)[1].removesuffix("\nReply:")
            return json.dumps({"false": f"not {statement}"}, ensure_ascii=False, separators=(",", ":"))
        return request.choices[0]


class _RecordingJudge(LlmJudge):
    """Keeps what was asked."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.inquiries: list[Inquiry] = []

    def supported_all(self, inquiries: Sequence[Inquiry]) -> list[Support]:
        self.inquiries += inquiries
        return super().supported_all(inquiries)


def _load_tokenizer(path: str) -> tuple[str, Tokenize]:
    name, model = load_sentencepiece(path)
    return name, model.encode


def _load_pairs(config: JudgeBenchConfig) -> list[tuple[str, str]]:
    """(candidate, reference) captions."""
    captions = load_captions(config.captions)
    if config.candidates:
        candidates, references = align(load_captions(config.candidates), captions)
        pairs = [(candidates[image], text) for image, text in references.items() if image in candidates]
    else:
        texts = sorted({text for text in next(iter(captions.values())).values() if text.strip()})
        Random(config.seed).shuffle(texts)
        pairs = list(zip(texts[::2], texts[1::2], strict=False))
    if not pairs:
        raise UsageError(f"{config.captions} gives no pair of captions; at least two, or candidates of the same images")
    return pairs[: config.num]


def _extraction(content: CaptionContent, boxes: Sequence[Any]) -> str:
    """A content as our extraction prompt asks for it."""
    places = {box: place for place, box in enumerate(boxes, start=1)}
    lists = {
        "entities": [f"{e.id}|{e.kind}|{e.tag}|{places.get(e.box, '')}" for e in content.entities],
        "attributes": [f"{item.entity_id}|{item.text}" for item in content.attributes],
        "relations": [f"{item.subject_id}|{item.object_id}|{item.text}" for item in content.relations],
        "globals": list(content.globals),
    }
    return json.dumps(lists, ensure_ascii=False, separators=(",", ":"))


def _count_published(inquiries: Sequence[Inquiry], tokenize: Tokenize) -> dict[str, int]:
    """Decode steps by step, each reply with its end token."""

    def count(files: Iterable[list[str]]) -> int:
        return sum(len(tokenize("\n".join(lines))) + 1 for lines in files)

    return {
        "extract": count(content_lines(inquiry.items) for inquiry in inquiries),
        "contradict": count(question_lines(inquiry.items) for inquiry in inquiries),
        "answer": count(answer_lines(inquiry.items, inquiry.mapping) for inquiry in inquiries),
    }


def _num_shared(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
