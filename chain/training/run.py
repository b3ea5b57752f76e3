"""One training run from configuration to checkpoint: prepares it, trains here or on Ray Train, sums it up."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pancap.chain.datasets import is_json, read_training_images, write_training_images
from pancap.chain.model import (
    CheckpointMeta,
    build_model,
    load_checkpoint,
    read_image_px,
    read_meta,
    save_checkpoint,
)
from pancap.chain.tokenizer import train_tokenizer
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles
from pancap.chain.training.loop import train, trim_metrics
from pancap.chain.training.pixels import Progress, cache_pixels
from pancap.chain.training.states import TrainerState, latest_state
from pancap.chain.training.summary import TrainSummary
from pancap.chain.training.validation import Validate, Validated, Validator, forget_validation
from pancap.chain.training.vision import load_tower
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

Metrics = Callable[[int, dict[str, float]], None]
WATCH_EVERY_S = 0.2
ROWS_FILE = "data.parquet"


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
        UsageError: something about the configuration or the data cannot be trained with, or only one of
            config.validation and `validate` was given.
        StoppedError: the loss was not finite for too long.
    """
    if (validate is None) != (config.validation is None):
        raise UsageError("validation needs both a folder and something that scores; `pancap train chain` brings it")
    config = replace(config, data=str(Path(config.data).resolve()), out=str(Path(config.out).resolve()))
    data, images = _read_dataset(config)
    if config.num_workers:
        from pancap.chain.training.cluster import start_ray

        start_ray(config)
    pixels = _prepare(config, images=images, config_text=config_text, on_progress=on_progress)
    files = RunFiles(out=Path(config.out), data=data, pixels=pixels)
    found = latest_state(files.states)
    resumed_from = found[1].step if found else 0
    trim_metrics(files.metrics, step=resumed_from)
    watch = _MetricsWatch(
        files.metrics, config=config, start=resumed_from, on_progress=on_progress, on_metrics=on_metrics
    )
    held_out = f"{config.validation}, {config.validation_limit} images"
    validator = Validator(files.out, data=held_out, validate=validate) if validate else None
    if config.num_workers == 0:
        state = _watched(lambda: train(config, files=files, use_deepspeed=False), watch, validator)
    else:
        from pancap.chain.training.cluster import train_on_ray

        state = _watched(lambda: train_on_ray(config, files=files), watch, validator)
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


def _read_dataset(config: TrainConfig) -> tuple[Path, list[TrainingImage]]:
    """The parquet that workers read, and what is in it.

    What a JSON gives is kept in one: all workers see the same rows, and so does a resumed run when images have gone.
    """
    data, out = Path(config.data), Path(config.out)
    kept = out / ROWS_FILE
    if is_json(data) and config.resume and kept.is_file() and latest_state(out / "state"):
        return kept, read_training_images(kept)
    images = read_training_images(data, images=config.images, limit=config.limit)
    if not is_json(data):
        return data, images
    out.mkdir(parents=True, exist_ok=True)
    write_training_images(images, kept)
    return kept, images


def _prepare(
    config: TrainConfig, *, images: list[TrainingImage], config_text: str, on_progress: Progress | None
) -> Path:
    """What the workers find ready: the checkpoint to start from, and the decoded images, whose map it returns."""
    out = Path(config.out)
    is_resumed = config.resume and latest_state(out / "state") is not None
    if not config.resume and (out / "state").exists():
        shutil.rmtree(out / "state")
        (out / "metrics.jsonl").unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    if not is_resumed:
        _write_start(config, images=images, folder=out / "start")
        shutil.rmtree(out / "checkpoint", ignore_errors=True)
        forget_validation(out)
    if config_text:
        (out / "config.yaml").write_text(config_text)
    cache = Path(config.cache).resolve() if config.cache else out / "cache"
    return cache_pixels(
        images,
        image_px=read_image_px(out / "start"),
        folder=cache,
        resample=read_meta(out / "start").resample,
        on_ray=config.num_workers > 0,
        on_progress=on_progress,
    )


def _write_start(config: TrainConfig, *, images: list[TrainingImage], folder: Path) -> None:
    """The checkpoint that training begins from: given, or new with a tokenizer learned from the captions."""
    if config.init:
        given = load_checkpoint(config.init, dtype=config.precision)
        model, tokenizer, meta = given.model, given.tokenizer, replace(given.meta, mode=config.mode)
    else:
        coordinates = config.model.coordinates
        meta = CheckpointMeta(coordinates=coordinates, mode=config.mode)
        texts = [image.caption for image in images]
        texts += [item.tag for image in images for item in image.instances]
        tokenizer = train_tokenizer(texts, vocabulary_size=config.model.vocabulary_size, coordinates=coordinates)
        model = build_model(config.model, tokenizer=tokenizer, seed=config.seed)
    if config.vision:
        load_tower(model.model.vision_tower, config.vision)
    save_checkpoint(model, tokenizer=tokenizer, directory=folder, meta=meta, storage=config.precision)


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


def _watched(work: Callable[[], TrainerState], watch: _MetricsWatch, validator: Validator | None) -> TrainerState:
    """Does the work in a thread of its own, while this one hands figures on (MLflow's runs belong to a thread)."""
    results: list[TrainerState] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body, name="training", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(WATCH_EVERY_S)
        watch.poll()
        if validator:
            watch.hand_on(validator.poll())
    watch.poll()
    if errors:
        raise errors[0]
    for scored in validator.finish() if validator else []:
        watch.hand_on(scored)
    return results[0]
