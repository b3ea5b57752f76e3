"""What a saved state costs the step it is saved after, against DeepSpeed's save_checkpoint, which waits for the files.

Same engine, same content. Ours is copied in memory beside the next forward pass, the update waits for that copy; then
the files are written beside the steps that follow, which are timed too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.bench.throughput import tree_training
from pancap.chain.training.engines import STATE_TAG, DeepSpeedEngine
from pancap.chain.training.saving import StateSaver
from pancap.chain.training.states import TrainerState
from pancap.chain.tuples import TrainingImage

if TYPE_CHECKING:
    from pancap.chain.bench.training import TrainingBenchConfig

PEER, AGAIN, OURS = "DeepSpeed save_checkpoint", "save_checkpoint again", "beside the training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, and the 20 and 80 % of the values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of some measurements."""
        low, median, high = np.percentile(values, (20, 50, 80))
        return cls(median=float(median), low=float(low), high=float(high))

    def render(self, *, digits: int = 1) -> str:
        """Median (low to high)."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True, kw_only=True)
class SavingBench:
    """How long the training is held by a save.

    Args:
        held_ms: milliseconds that the training stands still: in the save, and before the update that follows.
        ratios: of each way to the peer's save of the same round.
        step_ms: a step while nothing is written.
        step_beside_ms: a step while our copy is made or our files are written.
        state_bytes, peer_bytes: size of a state, as ours and as the peer's.
    """

    held_ms: Mapping[str, Spread]
    ratios: Mapping[str, Spread]
    step_ms: Spread
    step_beside_ms: Spread
    state_bytes: int
    peer_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A plain table."""
        lines = [f"{'':<28}{'training held, ms':<28}{'share of the peer, %':<26}"]
        for name, held in self.held_ms.items():
            share = self.ratios[name]
            percent = Spread(median=100 * share.median, low=100 * share.low, high=100 * share.high)
            lines.append(f"{name:<28}{held.render():<28}{percent.render():<26}")
        lines.append(
            f"a state of {self.state_bytes / 1e6:.0f} MB; a step {self.step_ms.render()} ms, "
            f"{self.step_beside_ms.render()} ms while files are written beside it; wall clock, median (20 to 80 %)"
        )
        return "\n".join(lines)


def bench_saving(
    config: "TrainingBenchConfig",
    *,
    images: Sequence[TrainingImage],
    pixels: np.ndarray,
    folder: Path,
    on_turn: Callable[[], None],
) -> SavingBench:
    """Saves in turns, config.steps times each way, a step before every save.

    Args:
        config: sizes.
        images: at least those of one step.
        pixels: of the images.
        folder: scratch.
        on_turn: called after each round.
    """
    engine, batches = tree_training(config, images=images, pixels=pixels, coordinates="tokens")
    batch = next(batches)
    saver = StateSaver(folder / "state", engine=engine, num_to_keep=1, publish=lambda state, weights: None)
    ways: dict[str, Callable[[], None]] = {
        name: lambda: _save_at_once(engine, folder / "peer") for name in (PEER, AGAIN)
    }
    ways[OURS] = lambda: saver.save(TrainerState())

    def step() -> float:
        loss = engine.forward(batch).total
        waited_s = _seconds(saver.wait_for_copy)
        engine.update(loss)
        return waited_s

    held: dict[str, list[float]] = {name: [] for name in ways}
    steps: list[float] = []
    beside: list[float] = []
    for turn in range(config.steps + 1):
        for name, save in ways.items():
            steps.append(_seconds(step))
            save_s, started = _seconds(save), time.perf_counter()
            held[name].append(save_s + step())
            if saver.is_busy:
                beside.append(time.perf_counter() - started)
            while saver.is_busy:
                beside.append(_seconds(step))
                saver.poll()
        if turn == 0:  # new memory, and files that are not there yet
            for values in (*held.values(), steps, beside):
                values.clear()
        on_turn()
    ratios = {name: [taken / peer for taken, peer in zip(held[name], held[PEER], strict=True)] for name in ways}
    return SavingBench(
        held_ms={name: _in_ms(taken) for name, taken in held.items()},
        ratios={name: Spread.of(values) for name, values in ratios.items()},
        step_ms=_in_ms(steps),
        step_beside_ms=_in_ms(beside),
        state_bytes=_bytes_in(folder / "state"),
        peer_bytes=_bytes_in(folder / "peer"),
    )


def _save_at_once(engine: DeepSpeedEngine, folder: Path) -> None:
    """As DeepSpeed does it by itself, over the files of the time before."""
    from deepspeed.runtime.checkpoint_engine import TorchCheckpointEngine

    inner = engine.deepspeed
    ours, inner.checkpoint_engine = inner.checkpoint_engine, TorchCheckpointEngine(inner._config)
    inner.save_checkpoint(str(folder), tag=STATE_TAG, save_latest=False, exclude_frozen_parameters=True)
    inner.checkpoint_engine = ours


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _in_ms(seconds: Sequence[float]) -> Spread:
    return Spread.of([1e3 * value for value in seconds])


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.pt"))
