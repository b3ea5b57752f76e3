"""The loop of both pretrainings, of the vision tower and of the language model: one process, states to go on from."""

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar

from pancap.chain.training.config import LanguageTrainConfig, VisionTrainConfig
from pancap.chain.training.files import read_metrics, trim_metrics
from pancap.chain.training.pixels import Progress
from pancap.chain.training.schedule import cosine_with_warmup, progress_of_run
from pancap.chain.training.states import TrainerState, complete_state, latest_state, partial_folder, remove_partial
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch

Batch = TypeVar("Batch")
Metrics = Callable[[int, dict[str, float]], None]
STATE_FILE = "state.pt"
# What another attempt at the same run may set anew.
_FREE = {"out", "cache", "resume", "time_limit_s", "num_threads", "log_every", "checkpoint_every"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """How a pretraining ended.

    Args:
        steps, seconds: of all attempts together.
        resumed_from: step that this attempt went on from; 0 for a new run.
        figures: of the last steps, as they were logged.
    """

    steps: int
    seconds: float
    resumed_from: int
    figures: dict[str, float]


def pretrain(
    learner: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    *,
    batches: Iterator[Batch],
    loss: "Callable[[Batch], tuple[torch.Tensor, dict[str, float]]]",
    config: LanguageTrainConfig | VisionTrainConfig,
    what: str,
    on_progress: Progress | None,
    on_metrics: Metrics | None,
) -> Pretrained:
    """Trains until the steps or the time are over; a run that is resumed ends as it would have in one piece.

    Args:
        learner: all that is saved; changed in place.
        optimizer: of the weights that are trained.
        batches: the same for every attempt, from the run's first step on.
        loss: of a batch, with its figures.
        config: the run; its states lie in config.out/state.
        what: named in the progress.
        on_progress: called with (what, done, total).
        on_metrics: called with (step, means of the figures since the last call).

    Raises:
        UsageError: the run to resume was started with other settings.
    """
    import torch

    out = Path(config.out)
    states, metrics = out / "state", out / "metrics.jsonl"
    if not config.resume:
        shutil.rmtree(states, ignore_errors=True)
        metrics.unlink(missing_ok=True)
    state = _resume(learner, optimizer, states=states, config=config)
    trim_metrics(metrics, step=state.step)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    window: list[dict[str, float]] = []

    def log() -> None:
        figures = _mean(window) | {"steps_per_s": step / elapsed}
        window.clear()
        with metrics.open("a") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        if on_metrics:
            on_metrics(step, figures)

    started = time.monotonic() - state.elapsed_s
    elapsed = state.elapsed_s
    step = state.step
    for batch in itertools.islice(batches, state.step, None):
        progress = progress_of_run(step, steps=config.steps, elapsed_s=elapsed, time_limit_s=config.time_limit_s)
        if progress >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.lr * cosine_with_warmup(progress, warmup=config.warmup)
        value, parts = loss(batch)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step, elapsed = step + 1, time.monotonic() - started
        window.append(parts)
        if on_progress:
            on_progress(what, step, config.steps)
        if step % config.log_every == 0:
            log()
        if step % config.checkpoint_every == 0:
            _save(learner, optimizer, states=states, step=step, elapsed_s=elapsed, config=config)
    if window:
        log()
    if step > state.step and step % config.checkpoint_every:
        _save(learner, optimizer, states=states, step=step, elapsed_s=elapsed, config=config)
    return Pretrained(steps=step, seconds=elapsed, resumed_from=state.step, figures=read_metrics(metrics)[-1])


def _mean(window: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure, over the steps that have it."""
    names = dict.fromkeys(itertools.chain.from_iterable(window))
    return {name: fmean(item[name] for item in window if name in item) for name in names}


def _save(
    learner: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    *,
    states: Path,
    step: int,
    elapsed_s: float,
    config: LanguageTrainConfig | VisionTrainConfig,
) -> None:
    import torch

    remove_partial(states)
    partial = partial_folder(states, step=step)
    partial.mkdir(parents=True)
    torch.save({"learner": learner.state_dict(), "optimizer": optimizer.state_dict()}, partial / STATE_FILE)
    state = TrainerState(step=step, elapsed_s=elapsed_s, made_with=_made_with(config))
    complete_state(states, state=state, num_to_keep=1)


def _resume(
    learner: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    *,
    states: Path,
    config: LanguageTrainConfig | VisionTrainConfig,
) -> TrainerState:
    import torch

    found = latest_state(states)
    if found is None:
        return TrainerState()
    folder, state = found
    changed = [
        f"{name}={state.made_with.get(name)}, now {value}"
        for name, value in _made_with(config).items()
        if state.made_with.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{config.out} was started with {'; '.join(changed)}; resume it with the same, or start a new run with "
            "resume=false"
        )
    saved = torch.load(folder / STATE_FILE, weights_only=True)
    learner.load_state_dict(saved["learner"])
    optimizer.load_state_dict(saved["optimizer"])
    return state


def _made_with(config: LanguageTrainConfig | VisionTrainConfig) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return {name: value for name, value in settings.items() if name not in _FREE}
