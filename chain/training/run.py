"""One training run from configuration to checkpoint: prepares it, trains here or on Ray Train, sums it up."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from pathlib import Path

from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import read_image_px, read_meta, save_checkpoint
from pancap.chain.training import background
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles, trim_metrics
from pancap.chain.training.loop import train
from pancap.chain.training.pixels import Progress, cache_pixels
from pancap.chain.training.rows import keep_rows, read_kept, rows_path
from pancap.chain.training.start import starting_checkpoint
from pancap.chain.training.states import TrainerState, latest_state
from pancap.chain.training.summary import TrainSummary
from pancap.chain.training.validation import Validate, Validated, Validator, forget_validation
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

Metrics = Callable[[int, dict[str, float]], None]
WATCH_EVERY_S = 0.2
STOP_WITHIN_S = 60.0  # the longest step that an interrupt waits for


def run_training(
    config: TrainConfig,
    *,
    config_text: str = "",
    on_progress: Progress | None = None,
    on_metrics: Metrics | None = None,
    validate: Validate | None = None,
) -> TrainSummary:
    """Trains a chain or a one-stage model; config.out/checkpoint is the result.

    Args:
        config: the run. `num_workers=0` trains in this process; otherwise Ray Train starts that many workers, which
            must see config.data, its images and config.out under the same paths, and decode the images.
        config_text: unresolved YAML, kept in config.out.
        on_progress: called with (what, done, total), in the calling thread.
        on_metrics: called with (step, figures) for every logged step once, in the calling thread.
        validate: scores a checkpoint (`chain.training.validation`); called in a thread of its own.

    Raises:
        UsageError: something about the configuration or the data cannot be trained with, a run to resume was started
            on other data, or only one of config.validation and `validate` was given.
        StoppedError: the loss was not finite for too long.
    """
    if (validate is None) != (config.validation is None):
        raise UsageError("validation needs both a folder and something that scores; `pancap train chain` brings it")
    config = replace(config, data=str(Path(config.data).resolve()), out=str(Path(config.out).resolve()))
    found = latest_state(Path(config.out) / "state") if config.resume else None
    images = read_kept(config) if found else read_training_images(config.data, images=config.images, limit=config.limit)
    if config.num_workers:
        from pancap.chain.training.cluster import start_ray

        start_ray(config)
    files = _prepare(
        config, images=images, is_resumed=found is not None, config_text=config_text, on_progress=on_progress
    )
    resumed_from = found[1].step if found else 0
    trim_metrics(files.metrics, step=resumed_from)
    watch = _MetricsWatch(
        files.metrics, config=config, start=resumed_from, on_progress=on_progress, on_metrics=on_metrics
    )
    held_out = f"{config.validation}, {config.validation_limit} images"
    validator = Validator(files.out, data=held_out, validate=validate) if validate else None
    state = _watched(partial(_train, config, files=files), watch, validator, is_here=config.num_workers == 0)
    return TrainSummary(
        checkpoint=str(files.checkpoint),
        mode=config.mode,
        steps=state.step,
        resumed_from=resumed_from,
        images=state.step * config.batch_size,
        seconds=state.elapsed_s,
        skipped_steps=state.skipped,
        dropped_images=state.dropped,
        first_loss=state.first_loss,
        last=watch.last,
        best=validator.best if validator else None,
    )


def _train(config: TrainConfig, *, files: RunFiles, should_stop: Callable[[], bool]) -> TrainerState:
    """The run itself, here or on Ray Train, whose workers end with the process that started them."""
    if config.num_workers == 0:
        return train(config, files=files, use_deepspeed=False, should_stop=should_stop)
    from pancap.chain.training.cluster import train_on_ray

    return train_on_ray(config, files=files)


def _prepare(
    config: TrainConfig,
    *,
    images: list[TrainingImage],
    is_resumed: bool,
    config_text: str,
    on_progress: Progress | None,
) -> RunFiles:
    """What the workers find ready: rows, a checkpoint to start from, decoded images; a new run replaces an old one."""
    out = Path(config.out)
    if not is_resumed:
        if (out / "state").exists():
            shutil.rmtree(out / "state")
        (out / "metrics.jsonl").unlink(missing_ok=True)
        images = keep_rows(images, config=config)
        start = starting_checkpoint(
            images,
            init=config.init,
            vision=config.vision,
            model=config.model,
            mode=config.mode,
            seed=config.seed,
            precision=config.precision,
        )
        save_checkpoint(
            start.model,
            tokenizer=start.tokenizer,
            directory=out / "start",
            meta=start.meta,
            storage=config.precision,
        )
        shutil.rmtree(out / "checkpoint", ignore_errors=True)
        forget_validation(out)
    if config_text:
        (out / "config.yaml").write_text(config_text)
    pixels = cache_pixels(
        images,
        image_px=read_image_px(out / "start"),
        folder=Path(config.cache).resolve() if config.cache else out / "cache",
        resample=read_meta(out / "start").resample,
        on_ray=config.num_workers > 0,
        on_progress=on_progress,
    )
    return RunFiles(out=out, data=rows_path(config), pixels=pixels)


class _MetricsWatch:
    """Reads new lines of metrics.jsonl and hands each step on once, also when a restart repeats steps."""

    def __init__(
        self, path: Path, *, config: TrainConfig, start: int, on_progress: Progress | None, on_metrics: Metrics | None
    ) -> None:
        self.last: dict[str, float] = {}
        self._path, self._config = path, config
        self._on_progress, self._on_metrics = on_progress, on_metrics
        self._seen = start

    def poll(self) -> None:
        if not self._path.is_file():
            return
        for line in self._path.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            figures = json.loads(line)
            step = int(figures.pop("step"))
            if step <= self._seen:
                continue
            self._seen, self.last = step, figures
            if self._on_metrics:
                self._on_metrics(step, figures)
            if self._on_progress:
                self._on_progress("training steps", step, self._config.steps)

    def hand_on(self, scored: Validated | None) -> None:
        if scored and self._on_metrics:
            self._on_metrics(scored.step, {f"val_{name}": value for name, value in scored.figures.items()})


def _watched(
    work: Callable[..., TrainerState], watch: _MetricsWatch, validator: Validator | None, *, is_here: bool
) -> TrainerState:
    """Does the work in a thread of its own, while this one hands figures on (MLflow's runs belong to a thread).

    An interrupt (R34) ends the step under way first if the work is done here: torch's threads must not outlive the
    interpreter.
    """
    stop = threading.Event()
    training = background.start(partial(work, should_stop=stop.is_set), name="training")
    try:
        while not training.done():
            wait([training], timeout=WATCH_EVERY_S)
            watch.poll()
            if validator:
                watch.hand_on(validator.poll())
    except (KeyboardInterrupt, SystemExit):
        stop.set()
        wait([training], timeout=STOP_WITHIN_S if is_here else 0.0)
        raise
    watch.poll()
    state = training.result()
    for scored in validator.finish() if validator else []:
        watch.hand_on(scored)
    return state
