"""What training costs, measured: `pancap bench training`, each part against a named peer in the same run."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pancap.chain.bench.ray_tax import RayBench, bench_ray
from pancap.chain.bench.saving import SavingBench, bench_saving
from pancap.chain.bench.throughput import Throughput, bench_throughput
from pancap.chain.config import ModelConfig
from pancap.chain.data.datasets import read_training_images
from pancap.chain.training.cluster import prepare_deepspeed
from pancap.chain.training.pixels import Progress, cache_pixels, open_pixels
from pancap.configs import UsageError

Part = Literal["throughput", "saving", "ray"]


@dataclass(frozen=True, kw_only=True)
class TrainingBenchConfig:
    """What is trained on, and for how long."""

    data: str
    """Parquet file or folder of pancap scenes or pancap engine."""
    parts: tuple[Part, ...] = ("throughput", "saving")
    """`throughput`: images a second of prefix trees against Hugging Face's Trainer; `saving`: how long a state holds
    the training; `ray`: a step on Ray Train against torchrun, minutes of starts for seconds of steps."""
    batch_size: int = 4
    """Images a step, of each worker; the peer's batch of `throughput` is four times as many samples."""
    steps: int = 12
    """Steps of each way a round, after those that are not counted; the peer of `throughput` finds samples of like
    length among them. In `saving`: saves of each way, in all."""
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


@dataclass(frozen=True, kw_only=True)
class TrainingBench:
    """The parts that were asked for."""

    throughput: Throughput | None = None
    saving: SavingBench | None = None
    ray: RayBench | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: part.to_dict() for name, part in self._measured().items()}

    def render(self) -> str:
        """Plain tables."""
        return "\n\n".join(part.render() for part in self._measured().values())

    def _measured(self) -> dict[str, Throughput | SavingBench | RayBench]:
        parts = {"throughput": self.throughput, "saving": self.saving, "ray": self.ray}
        return {name: part for name, part in parts.items() if part is not None}


def bench_training(config: TrainingBenchConfig, *, on_progress: Progress | None = None) -> TrainingBench:
    """Measures the parts one after another, on the same images.

    Args:
        config: data, parts and sizes.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: the dataset cannot be read or has too few images.
    """
    num_images = config.batch_size * (config.steps + 1)
    images = read_training_images(config.data, limit=2 * num_images)[:num_images]
    if len(images) < num_images:
        raise UsageError(
            f"{config.data} has {len(images)} images, {config.steps + 1} steps of {config.batch_size} need "
            f"{num_images}; give more images or fewer steps"
        )
    throughput = saving = ray = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels, refused = open_pixels(cache_pixels(images, image_px=config.model.image_px, folder=folder))
        if refused:
            raise UsageError(f"{len(refused)} of the first {num_images} images of {config.data} cannot be read")
        with _process_group(folder):
            if "throughput" in config.parts:
                on_turn = _counter(on_progress, num=4 * config.rounds)
                throughput = bench_throughput(config, images=images, pixels=pixels, folder=folder, on_turn=on_turn)
            if "saving" in config.parts:
                on_turn = _counter(on_progress, num=config.steps + 1)
                saving = bench_saving(config, images=images, pixels=pixels, folder=folder, on_turn=on_turn)
        if "ray" in config.parts:
            ray = bench_ray(config, folder=folder, on_turn=_counter(on_progress, num=3 * config.rounds))
    return TrainingBench(throughput=throughput, saving=saving, ray=ray)


def _counter(on_progress: Progress | None, *, num: int) -> Callable[[], None]:
    done = 0

    def on_turn() -> None:
        nonlocal done
        done += 1
        if on_progress:
            on_progress("turns", done, num)

    return on_turn


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
