"""Training throughput of prefix trees against the usual way: `pancap bench training`.

The peer is what most people run: Hugging Face's Trainer over DeepSpeed, every stage of an image a sample of its own,
batches of samples of like length, padded, the whole sequence through the output head. Ours packs an image's stages
behind one copy of its tokens. Same model, images, number of images a step, DeepSpeed's AdamW in both; one process. Both
learn the answers alone: the questions at the image tokens (`loss.patches`), which the peer does not know, are off.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.config import Coordinates, ModelConfig
from pancap.chain.datasets import read_training_images
from pancap.chain.model import build_model
from pancap.chain.tokenizer import encode_prefix, token_ids, train_tokenizer
from pancap.chain.training.cluster import prepare_deepspeed
from pancap.chain.training.config import LossConfig, TrainConfig
from pancap.chain.training.encoding import Encoder, collate
from pancap.chain.training.engines import DeepSpeedEngine, deepspeed_config
from pancap.chain.training.pixels import Progress, cache_pixels, open_pixels
from pancap.chain.training.step import build_step
from pancap.chain.training.trainer_peer import Collator, Counts, Turn, make_samples, run_trainer
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

MAX_TOKENS = 2048
PEER = "Trainer, four samples, text"
AGAIN = "Trainer again"
TREES: dict[str, Coordinates] = {"trees, text": "text", "trees, coordinate tokens": "tokens"}


@dataclass(frozen=True, kw_only=True)
class TrainingBenchConfig:
    """What is trained on, and for how long."""

    data: str
    """Parquet file or folder of pancap scenes or pancap engine."""
    batch_size: int = 4
    """Images a step; the peer's batch is four times as many samples."""
    steps: int = 12
    """Steps of each way a round, after one that is not counted; the peer finds samples of like length among them."""
    rounds: int = 3
    """How often the ways take turns."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes; the weights are random, which costs the same."""
    seed: int = 0
    """Of weights and order."""

    def __post_init__(self) -> None:
        """Refuses sizes below one."""
        for name in ("batch_size", "steps", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")


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
class TrainingBench:
    """All ways, by name; the first is the peer, the second the peer once more."""

    ways: Mapping[str, WayResult]
    num_images: int
    num_threads: int

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
        return "\n".join(lines)


def bench_training(config: TrainingBenchConfig, *, on_progress: Progress | None = None) -> TrainingBench:
    """Lets the ways take turns on the same images.

    Args:
        config: data and sizes.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: the dataset cannot be read or has too few images.
    """
    import torch

    num_images = config.batch_size * (config.steps + 1)
    images = read_training_images(config.data, limit=2 * num_images)[:num_images]
    if len(images) < num_images:
        raise UsageError(
            f"{config.data} has {len(images)} images, {config.steps + 1} steps of {config.batch_size} need "
            f"{num_images}; give more images or fewer steps"
        )
    turns: dict[str, list[Turn]] = {name: [] for name in (PEER, AGAIN, *TREES)}
    with tempfile.TemporaryDirectory() as folder, _process_group(Path(folder)):
        pixels, refused = open_pixels(cache_pixels(images, image_px=config.model.image_px, folder=folder))
        if refused:
            raise UsageError(f"{len(refused)} of the first {num_images} images of {config.data} cannot be read")
        ways = {name: partial(_train_peer, out=Path(folder) / "peer") for name in (PEER, AGAIN)}
        ways |= {name: partial(_train_trees, coordinates=coordinates) for name, coordinates in TREES.items()}
        for _ in range(config.rounds):
            for name, train in ways.items():
                turns[name].append(train(config, images=images, pixels=pixels))
                if on_progress:
                    on_progress("turns", sum(map(len, turns.values())), config.rounds * len(ways))
    counted = config.batch_size * config.steps
    return TrainingBench(
        ways={name: _sum_up(taken, num_images=counted) for name, taken in turns.items()},
        num_images=counted,
        num_threads=torch.get_num_threads(),
    )


def _train_peer(config: TrainingBenchConfig, *, images: Sequence[TrainingImage], pixels: np.ndarray, out: Path) -> Turn:
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
    config: TrainingBenchConfig, *, images: Sequence[TrainingImage], pixels: np.ndarray, coordinates: Coordinates
) -> Turn:
    tokenizer, model = _new_model(config, images=images, coordinates=coordinates)
    named = token_ids(tokenizer)
    prefix_ids = encode_prefix(tokenizer, num_image_tokens=config.model.num_image_tokens)
    settings = TrainConfig(data=config.data, out="", batch_size=config.batch_size, loss=LossConfig(patches=0.0))
    engine = DeepSpeedEngine(build_step(model, named=named, loss=settings.loss), config=settings)
    encoder = Encoder(
        tokenizer=tokenizer, coordinates=coordinates, mode="chain", order="left_to_right", max_tokens=MAX_TOKENS
    )
    counts, started = [], 0.0
    for step in range(config.steps + 1):
        drawn = range(step * config.batch_size, (step + 1) * config.batch_size)
        trees = [tree for index in drawn if (tree := encoder.encode(images[index], index=index, seed=config.seed))]
        if len(trees) < config.batch_size:
            raise UsageError(f"{config.data} has captions of more than {MAX_TOKENS} tokens; give shorter ones")
        batch = collate(trees, pixels=pixels, named=named, prefix_ids=prefix_ids)
        engine.update(engine.forward(batch).total)
        if step == 0:
            started = time.process_time()
        else:
            num_tokens = len(batch.ids_T)
            counts.append(Counts(num_tokens=num_tokens, num_real=num_tokens, num_supervised=len(batch.targets_M)))
    return Turn(seconds=time.process_time() - started, counts=reduce(add, counts))


def _new_model(
    config: TrainingBenchConfig, *, images: Sequence[TrainingImage], coordinates: Coordinates
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


@contextmanager
def _process_group(folder: Path) -> Iterator[None]:
    """A group of this process alone, which DeepSpeed asks for."""
    import torch.distributed as dist

    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    before = {name: os.environ.get(name) for name in alone}
    os.environ.update(alone)
    prepare_deepspeed()
    dist.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
