"""Images a second of training on prefix trees, against the usual way.

The peer is what most people run: Hugging Face's Trainer over DeepSpeed, every stage of an image a sample of its own,
batches of samples of like length, padded, the whole sequence through the output head. Ours packs an image's stages
behind one copy of its tokens. Same model, images, number of images a step, DeepSpeed's AdamW in both; one process. Both
learn the answers alone: the questions at the image tokens (`loss.patches`), which the peer does not know, are off.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.bench.trainer_peer import Collator, Counts, Turn, make_samples, run_trainer
from pancap.chain.config import Coordinates
from pancap.chain.model import build_model
from pancap.chain.tokenizer import encode_prefix, token_ids, train_tokenizer
from pancap.chain.training.batches import plan
from pancap.chain.training.config import LossConfig, TrainConfig
from pancap.chain.training.encoding import EncodedImage, Encoder, TreeBatch, collate
from pancap.chain.training.engines import DeepSpeedEngine, deepspeed_config
from pancap.chain.training.step import build_step
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

    from pancap.chain.bench.training import TrainingBenchConfig

MAX_TOKENS = 2048
PLAN_ROUNDS = 100
PEER = "Trainer, four samples, text"
AGAIN = "Trainer again"
TREES: dict[str, Coordinates] = {"trees, text": "text", "trees, coordinate tokens": "tokens"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WayResult:
    """One way of training.

    Args:
        images_per_s: images a second of processor time; median over rounds.
        low, high: the slowest and the fastest round.
        tokens_per_image: that go through the language model, padding included.
        real_share: of them, those that are no padding.
        supervised_share: of them, those that are asked for.
    """

    images_per_s: float
    low: float
    high: float
    tokens_per_image: float
    real_share: float
    supervised_share: float


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What the ways took.

    Args:
        ways: by name; the first is the peer, the second the peer once more.
        num_images: trained on in a round.
        num_threads: of torch.
        plan_us: to plan who trains on what in which pass, microseconds a sample (a stage of an image).
    """

    ways: Mapping[str, WayResult]
    num_images: int
    num_threads: int
    plan_us: float

    def ratio(self, name: str) -> float:
        """Images a second of one way over the peer's."""
        return self.ways[name].images_per_s / self.ways[PEER].images_per_s

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "ratios": {name: self.ratio(name) for name in self.ways}}

    def render(self) -> str:
        """A plain table."""
        lines = [f"{'':<28}{'images/s':>9}  {'rounds':<14}{'ratio':>6}{'tokens':>8}{'real':>7}{'asked':>7}"]
        for name, way in self.ways.items():
            rounds = f"{way.low:.2f} to {way.high:.2f}"
            lines.append(
                f"{name:<28}{way.images_per_s:>9.2f}  {rounds:<14}{self.ratio(name):>6.2f}{way.tokens_per_image:>8.0f}"
                f"{way.real_share:>7.1%}{way.supervised_share:>7.1%}"
            )
        lines.append(f"{self.num_images} images a round, {self.num_threads} threads; images a second of processor time")
        lines.append(f"steps planned in {self.plan_us:.2f} us of it a sample")
        return "\n".join(lines)


def bench_throughput(
    config: "TrainingBenchConfig",
    *,
    images: Sequence[TrainingImage],
    pixels: np.ndarray,
    folder: Path,
    on_turn: Callable[[], None],
) -> Throughput:
    """Lets the ways take turns on the same images.

    Args:
        config: sizes.
        images: one step's more than are counted.
        pixels: of the images.
        folder: scratch.
        on_turn: called after each turn of a way.
    """
    import torch

    ways = {name: partial(_train_peer, out=folder / "peer") for name in (PEER, AGAIN)}
    ways |= {name: partial(_train_trees, coordinates=coordinates) for name, coordinates in TREES.items()}
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(config.rounds):
        for name, train in ways.items():
            turns[name].append(train(config, images=images, pixels=pixels))
            on_turn()
    counted = config.batch_size * config.steps
    return Throughput(
        ways={name: _sum_up(taken, num_images=counted) for name, taken in turns.items()},
        num_images=counted,
        num_threads=torch.get_num_threads(),
        plan_us=_plan_us(config, images=images),
    )


def _plan_us(config: "TrainingBenchConfig", *, images: Sequence[TrainingImage]) -> float:
    """Median over many rounds of all steps, planned for two workers with an image a pass."""
    tokenizer = train_tokenizer([image.caption for image in images], coordinates="tokens")
    steps = list(_steps(config, images=images, tokenizer=tokenizer, coordinates="tokens"))
    num_samples = sum(len(image.branches) for step in steps for image in step)
    seconds = []
    for _ in range(PLAN_ROUNDS):
        started = time.process_time()
        for step in steps:
            plan(step, rank=0, world_size=2, images_per_pass=1)
        seconds.append(time.process_time() - started)
    return 1e6 * statistics.median(seconds) / num_samples


def _train_peer(
    config: "TrainingBenchConfig", *, images: Sequence[TrainingImage], pixels: np.ndarray, out: Path
) -> Turn:
    tokenizer, model = _new_model(config, images=images, coordinates="text")
    prefix_ids = encode_prefix(tokenizer, num_image_tokens=config.model.num_image_tokens)
    settings = TrainConfig(data=config.data, out=str(out), batch_size=4 * config.batch_size)
    return run_trainer(
        model,
        make_samples(images, tokenizer=tokenizer, prefix_ids=prefix_ids),
        collator=Collator(pixels=pixels, pad=token_ids(tokenizer).pad),
        batch_size=settings.batch_size,
        deepspeed=deepspeed_config(settings, world_size=1),
        out=out,
        seed=config.seed,
    )


def _train_trees(
    config: "TrainingBenchConfig", *, images: Sequence[TrainingImage], pixels: np.ndarray, coordinates: Coordinates
) -> Turn:
    engine, batches = tree_training(config, images=images, pixels=pixels, coordinates=coordinates)
    counts, started = [], 0.0
    for step, batch in enumerate(batches):
        engine.update(engine.forward(batch).total)
        if step == 0:
            started = time.process_time()
        else:
            num_tokens = len(batch.ids_T)
            counts.append(Counts(num_tokens=num_tokens, num_real=num_tokens, num_supervised=len(batch.targets_M)))
    return Turn(seconds=time.process_time() - started, counts=reduce(add, counts))


def tree_training(
    config: "TrainingBenchConfig", *, images: Sequence[TrainingImage], pixels: np.ndarray, coordinates: Coordinates
) -> tuple[DeepSpeedEngine, Iterator[TreeBatch]]:
    """A new model's engine, and the batches of all steps; each is made when it is asked for.

    Raises:
        UsageError: a caption is too long.
    """
    tokenizer, model = _new_model(config, images=images, coordinates=coordinates)
    named = token_ids(tokenizer)
    prefix_ids = encode_prefix(tokenizer, num_image_tokens=config.model.num_image_tokens)
    settings = TrainConfig(data=config.data, out="", batch_size=config.batch_size, loss=LossConfig(patches=0.0))
    engine = DeepSpeedEngine(build_step(model, named=named, loss=settings.loss), config=settings)
    steps = _steps(config, images=images, tokenizer=tokenizer, coordinates=coordinates)
    return engine, (collate(step, pixels=pixels, named=named, prefix_ids=prefix_ids) for step in steps)


def _steps(
    config: "TrainingBenchConfig",
    *,
    images: Sequence[TrainingImage],
    tokenizer: "PreTrainedTokenizerFast",
    coordinates: Coordinates,
) -> Iterator[list[EncodedImage]]:
    encoder = Encoder(
        tokenizer=tokenizer, coordinates=coordinates, mode="chain", order="left_to_right", max_tokens=MAX_TOKENS
    )
    for start in range(0, len(images), config.batch_size):
        drawn = range(start, start + config.batch_size)
        trees = [tree for index in drawn if (tree := encoder.encode(images[index], index=index, seed=config.seed))]
        if len(trees) < config.batch_size:
            raise UsageError(f"{config.data} has captions of more than {MAX_TOKENS} tokens; give shorter ones")
        yield trees


def _new_model(
    config: "TrainingBenchConfig", *, images: Sequence[TrainingImage], coordinates: Coordinates
) -> "tuple[PreTrainedTokenizerFast, LlavaForConditionalGeneration]":
    captions = [image.caption for image in images]
    tokenizer = train_tokenizer(captions, coordinates=coordinates)
    return tokenizer, build_model(config.model, tokenizer=tokenizer, seed=config.seed)


def _sum_up(turns: Sequence[Turn], *, num_images: int) -> WayResult:
    rates = [num_images / turn.seconds for turn in turns]
    counts = turns[0].counts
    return WayResult(
        images_per_s=statistics.median(rates),
        low=min(rates),
        high=max(rates),
        tokens_per_image=counts.num_tokens / num_images,
        real_share=counts.num_real / counts.num_tokens,
        supervised_share=counts.num_supervised / counts.num_tokens,
    )
