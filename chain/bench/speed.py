"""Wall time of pancap's decoding against the published loop: part of `pancap bench chain`.

Replay: a model of nano's size with random weights, text coordinates, pictures of noise. Every forward pass is done, the
head's scores are computed and looked through; then the next token is taken from the script of a real caption, so that
prompts and answers have their real lengths. The published loop asks one image at a time, and each of its four calls
encodes picture and prompt anew and writes one token a step, here without the overhead of transformers' `generate`. So
its ratio holds what batching gains, what encoding an image once gains, and what drafts gain; `pancap, no drafts` tells
the last apart.

The published loop runs before and after each of our runs, which is held against the mean of the two: a load on the
machine that comes or goes hits both sides alike.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.backends.base import Answer, Backend, Follow, Opening, Question
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.bench.replay import STAGE_NAMES, Scripter
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.captioner import Captioner
from pancap.chain.config import Coordinates, DecodingConfig, ModelConfig
from pancap.chain.decoding.answers import Branch, Row
from pancap.chain.decoding.loop import Decoder
from pancap.chain.images import to_pixels
from pancap.chain.stages import StageName, prompt_of
from pancap.chain.tokenizer import decode, encode, encode_prompt, train_tokenizer
from pancap.chain.tuples import TrainingImage

if TYPE_CHECKING:
    import torch

    from pancap.chain.model import Checkpoint

BATCH_SIZE = 32
MAX_NEW_TOKENS = 1024
COORDINATES: Coordinates = "text"
OURS, NO_DRAFTS, AGAIN, PLAIN = "pancap", "pancap, no drafts", "pancap again", "published loop"

Progress = Callable[[str, int, int | None], None]
Answers = dict[StageName, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedBench:
    """Wall time an image of each way over that of pancap, round by round.

    Args:
        num_images: of pancap, all under way at once; the published loop takes some of them each round, and
            its time is scaled by the tokens that they write.
        num_threads: of torch.
        ratios: by way; `pancap again` is the same a second time, and a difference below it is no claim.
    """

    num_images: int
    num_threads: int
    ratios: dict[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "num_images": self.num_images,
            "num_threads": self.num_threads,
            "time_over_pancap": {
                way: {"median": round(statistics.median(values), 2), "low": min(values), "high": max(values)}
                for way, values in self.ratios.items()
            },
        }


def bench_speed(
    images: Sequence[TrainingImage], *, num_plain: int, rounds: int, seed: int, on_progress: Progress | None = None
) -> SpeedBench:
    """Times the ways in turn.

    Args:
        images: the tokenizer learns from all their captions; one batch of them is timed.
        num_plain: images of the published loop a round.
        rounds: how often.
        seed: of weights, pictures and the split of the discovery stage.
        on_progress: called with what is done, how many, of how many.
    """
    import torch

    checkpoint = _random_checkpoint([image.caption for image in images], seed=seed)
    images = images[:BATCH_SIZE]
    tokenizer = checkpoint.tokenizer
    scripter = Scripter(
        lambda text: encode(tokenizer, text), eos=int(tokenizer.eos_token_id), coordinates=COORDINATES, seed=seed
    )
    answers = [
        {example.stage: scripter.script(image, example).answer_ids for example in scripter.examples(image)}
        for image in images
    ]
    pictures = list(
        np.random.default_rng(seed).integers(0, 256, (len(images), *[checkpoint.image_px] * 2, 3), dtype=np.uint8)
    )
    num_tokens = [sum(map(len, found.values())) for found in answers]
    backends = {way: _Replay(checkpoint, answers, enable_drafts=way != NO_DRAFTS) for way in (OURS, NO_DRAFTS, AGAIN)}
    ratios: dict[str, list[float]] = {way: [] for way in (NO_DRAFTS, AGAIN, PLAIN)}
    for turn in range(rounds):
        chosen = [(turn * num_plain + index) % len(images) for index in range(num_plain)]
        plain = _PublishedLoop(checkpoint, [answers[index] for index in chosen])
        plain_pictures = [pictures[index] for index in chosen]
        scale = sum(num_tokens) / sum(num_tokens[index] for index in chosen)
        before, gains = _time(plain, plain_pictures), {}
        for way, backend in backends.items():
            elapsed, after = _time(backend, pictures), _time(plain, plain_pictures)
            gains[way] = statistics.mean([before, after]) * scale / elapsed
            before = after
        ratios[PLAIN].append(gains[OURS])
        for way in (NO_DRAFTS, AGAIN):
            ratios[way].append(gains[OURS] / gains[way])
        if on_progress:
            on_progress("rounds", turn + 1, rounds)
    return SpeedBench(
        num_images=len(images),
        num_threads=torch.get_num_threads(),
        ratios={way: tuple(round(value, 2) for value in values) for way, values in ratios.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scripted(Branch):
    """A branch with the answer that is to be written."""

    script: tuple[int, ...]


class _Replay(TransformersBackend):
    """The real backend, whose model writes scripts."""

    def __init__(self, checkpoint: "Checkpoint", answers: Sequence[Answers], *, enable_drafts: bool) -> None:
        limits: dict[str, Any] = {f"max_new_tokens_{stage}": MAX_NEW_TOKENS for stage in STAGE_NAMES}
        decoding = DecodingConfig(**limits, enable_drafts=enable_drafts)
        super().__init__(checkpoint, decoding=decoding, batch_size=BATCH_SIZE)
        self._answers = answers

    def _decoder(self) -> Decoder:
        return _ReplayDecoder(
            self.checkpoint,
            num_slots=self.batch_size,
            repeat_window=self.decoding.repeat_window,
            step_tokens=self.decoding.draft_step_tokens,
        )

    def _branch(self, question: Question, *, codec: BoxCodec) -> Branch:
        branch = super()._branch(question, codec=codec)
        parts = {part.name: getattr(branch, part.name) for part in fields(branch)}
        return _Scripted(**parts, script=self._answers[question.image][question.stage])


class _ReplayDecoder(Decoder):
    """Looks for the best tokens, then takes the script's."""

    def _choose_plain(self, hidden_TH: "torch.Tensor", rows: Sequence[Row]) -> None:
        super()._choose_plain(hidden_TH, rows)
        for row in rows:
            assert isinstance(row.branch, _Scripted)
            row.plain = iter(row.branch.script[len(row.ids) :])


class _PublishedLoop:
    """One image at a time; one call a stage, each from picture and prompt; greedy with transformers' own cache."""

    coordinates = COORDINATES

    def __init__(self, checkpoint: "Checkpoint", answers: Sequence[Answers]) -> None:
        self._checkpoint = checkpoint
        self._answers = answers

    def codec(self, image: np.ndarray) -> BoxCodec:
        return BoxCodec(coordinates=COORDINATES)

    def converse(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[int]:
        for place, (image, question) in enumerate(openings):
            asked: Question | None = question
            while asked:
                asked = follow(place, self._answer(image, asked))
                yield place

    def _answer(self, image: np.ndarray, question: Question) -> Answer:
        tokenizer = self._checkpoint.tokenizer
        prompt = prompt_of(question.stage, question.state, codec=self.codec(image))
        script = self._answers[question.image][question.stage]
        self._write([*self._checkpoint.prefix_ids, *encode_prompt(tokenizer, prompt)], script=script, image=image)
        return Answer(text=decode(tokenizer, script))

    def _write(self, given: list[int], *, script: Sequence[int], image: np.ndarray) -> None:
        import torch
        from transformers import DynamicCache

        model = self._checkpoint.model
        with torch.inference_mode():
            cache = DynamicCache(config=model.config.get_text_config())
            inputs: dict[str, Any] = {"pixel_values": to_pixels([image], image_px=self._checkpoint.image_px)}
            for token in script:
                logits_1SV = model(
                    input_ids=torch.tensor([given]), past_key_values=cache, use_cache=True, logits_to_keep=1, **inputs
                ).logits
                int(logits_1SV[0, -1].argmax())
                given, inputs = [token], {}


def _time(backend: Backend, pictures: Sequence[np.ndarray]) -> float:
    start = time.perf_counter()
    Captioner(backend).caption(pictures)
    return time.perf_counter() - start


def _random_checkpoint(captions: Sequence[str], *, seed: int) -> "Checkpoint":
    """Nano's size, with words of these captions."""
    from pancap.chain.model import Checkpoint, CheckpointMeta, build_model

    tokenizer = train_tokenizer(captions, coordinates=COORDINATES)
    model = build_model(ModelConfig(coordinates=COORDINATES), tokenizer=tokenizer, seed=seed).eval()
    return Checkpoint(model=model, tokenizer=tokenizer, meta=CheckpointMeta(coordinates=COORDINATES, mode="chain"))
