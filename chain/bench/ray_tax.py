"""What Ray Train costs a step: the same loop, images and start under Ray Train and under torchrun, by turns."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.bench.saving import Spread
from pancap.chain.bench.throughput import MAX_TOKENS
from pancap.chain.training.cluster import start_ray, train_on_ray
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles
from pancap.chain.training.run import run_training

if TYPE_CHECKING:
    from pancap.chain.bench.training import TrainingBenchConfig

PEER, AGAIN, OURS = "torchrun", "torchrun again", "Ray Train"
NUM_WORKERS = 2
NUM_WARM = 3  # steps of a run that are not counted: first batches, first memory


@dataclass(frozen=True, kw_only=True)
class RayBench:
    """Milliseconds a step, by way.

    Args:
        step_ms: median step of each run: median, slowest and fastest of the runs.
        ratios: of each way to the peer's run of the same round.
        num_steps: counted steps of a run.
    """

    step_ms: Mapping[str, Spread]
    ratios: Mapping[str, Spread]
    num_steps: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A plain table."""
        lines = [f"{'':<28}{'a step, ms':<28}{'of torchrun':<26}"]
        for name, step in self.step_ms.items():
            lines.append(f"{name:<28}{step.render():<28}{self.ratios[name].render(digits=3):<26}")
        lines.append(
            f"{NUM_WORKERS} workers, wall clock, median of {self.num_steps} steps a run; lowest and highest run; "
            f"a difference within that of '{AGAIN}' says nothing"
        )
        return "\n".join(lines)


def bench_ray(config: "TrainingBenchConfig", *, folder: Path, on_turn: Callable[[], None]) -> RayBench:
    """Trains config.rounds times each way.

    Args:
        config: data and sizes.
        folder: scratch.
        on_turn: called after each run.

    Raises:
        UsageError: Ray has no room for the workers.
        RuntimeError: torchrun failed.
    """
    start = TrainConfig(
        data=str(Path(config.data).resolve()),
        out=str(folder / "prepared"),
        cache=str(folder / "pixels"),
        model=config.model,
        steps=1,
        batch_size=config.batch_size * NUM_WORKERS,
        limit=config.batch_size * NUM_WORKERS * config.steps,
        num_workers=0,
        max_tokens=MAX_TOKENS,
        log_every=1,
        checkpoint_every=10**9,
        seed=config.seed,
    )
    run_training(start)
    pixels = next((folder / "pixels").glob("*.npy"))
    ways = {PEER: _run_torchrun, OURS: _run_ray, AGAIN: _run_torchrun}
    medians: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(config.rounds):
        for name, run in ways.items():
            out = folder / f"{name} {turn}".replace(" ", "_")
            out.mkdir()
            (out / "start").symlink_to(folder / "prepared" / "start")
            run(
                replace(start, out=str(out), num_workers=NUM_WORKERS, steps=config.steps + NUM_WARM),
                RunFiles(out=out, data=Path(start.data), pixels=pixels),
            )
            medians[name].append(_median_step_ms(out / "metrics.jsonl"))
            on_turn()
    ratios = {name: [taken / peer for taken, peer in zip(medians[name], medians[PEER], strict=True)] for name in ways}
    return RayBench(
        step_ms={name: _range_of(values) for name, values in medians.items()},
        ratios={name: _range_of(values) for name, values in ratios.items()},
        num_steps=config.steps,
    )


def _run_ray(config: TrainConfig, files: RunFiles) -> None:
    """On a cluster of its own, which is gone while torchrun runs."""
    import ray

    start_ray(config)
    try:
        train_on_ray(config, files=files)
    finally:
        ray.shutdown()


def _run_torchrun(config: TrainConfig, files: RunFiles) -> None:
    names = ("data", "out", "steps", "batch_size", "limit", "num_workers", "max_tokens", "log_every", "seed")
    overrides = [f"{name}={getattr(config, name)}" for name in (*names, "checkpoint_every")]
    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    command = [sys.executable, "-m", "torch.distributed.run", *rendezvous, f"--nproc-per-node={config.num_workers}"]
    command += ["-m", "pancap.chain.bench.torchrun_peer", str(files.pixels), *overrides]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"torchrun failed with {done.returncode}:\n{done.stderr[-2000:]}")


def _median_step_ms(metrics: Path) -> float:
    ends = [json.loads(line)["elapsed_s"] for line in metrics.read_text().splitlines()]
    return float(1e3 * np.median([after - before for before, after in pairwise(ends[NUM_WARM - 1 :])]))


def _range_of(values: Sequence[float]) -> Spread:
    return Spread(median=float(np.median(values)), low=min(values), high=max(values))
