"""The training loop, the same in one process and on every worker of a cluster."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import Checkpoint, load_checkpoint
from pancap.chain.tokenizer import token_ids
from pancap.chain.training.adapters import add_adapters
from pancap.chain.training.batches import BatchSource
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.engines import DeepSpeedEngine, PlainEngine, TrainEngine
from pancap.chain.training.files import RunFiles, trim_metrics
from pancap.chain.training.pixels import open_pixels
from pancap.chain.training.publishing import publish_model
from pancap.chain.training.saving import StateSaver
from pancap.chain.training.schedule import cosine_with_warmup, progress_of_run
from pancap.chain.training.states import TrainerState, latest_state
from pancap.chain.training.step import build_step
from pancap.configs import StoppedError, UsageError


def train(
    config: TrainConfig, *, files: RunFiles, use_deepspeed: bool, should_stop: Callable[[], bool] = lambda: False
) -> TrainerState:
    """Trains to the end of the run, from the newest whole state if there is one; every worker calls it.

    Args:
        config: the run.
        files: what was prepared for it.
        use_deepspeed: else plain torch, of one worker.
        should_stop: asked before every step; a run that is stopped leaves a state to go on from.

    Raises:
        StoppedError: the loss was not finite for too many steps in a row.
        UsageError: the state to resume from is one that this run cannot take up, or the dataset is not the one whose
            pixels were decoded.
    """
    import torch

    torch.set_num_threads(config.threads_per_worker)
    torch.manual_seed(config.seed)
    checkpoint = load_checkpoint(files.start, dtype=config.precision)
    checkpoint.model.train()
    if config.lora.rank:
        add_adapters(checkpoint.model, config=config.lora, seed=config.seed)
    named = token_ids(checkpoint.tokenizer)
    step = build_step(
        checkpoint.model,
        named=named,
        loss=config.loss,
        freeze_vision=config.freeze_vision,
        recomputes_layers=config.gradient_checkpointing,
    )
    engine: TrainEngine = (DeepSpeedEngine if use_deepspeed else PlainEngine)(step, config=config)
    state = _resume(engine, config=config, files=files)
    images = read_training_images(files.data, limit=config.limit)
    pixels, refused = open_pixels(files.pixels)
    if len(images) != len(pixels):
        raise UsageError(
            f"{files.data} has {len(images)} images, {files.pixels} the pixels of {len(pixels)}: the dataset has "
            "changed since the run was started; start it again"
        )
    batches = BatchSource(
        images=images,
        pixels=pixels,
        refused=refused,
        checkpoint=checkpoint,
        named=named,
        config=config,
        drawn=state.drawn,
    )
    loop = Loop(engine=engine, batches=batches, checkpoint=checkpoint, config=config, files=files)
    return loop.run(state, should_stop=should_stop)


class Loop:
    """Steps, metrics and states of one attempt."""

    def __init__(
        self,
        *,
        engine: TrainEngine,
        batches: BatchSource,
        checkpoint: Checkpoint,
        config: TrainConfig,
        files: RunFiles,
    ) -> None:
        """Keeps its parts."""
        self._engine, self._batches = engine, batches
        self._config, self._metrics = config, files.metrics
        self._saver = StateSaver(
            files.states,
            engine=engine,
            num_to_keep=config.num_to_keep,
            publish=partial(publish_model, checkpoint=checkpoint, config=config, files=files),
        )
        self._window: list[dict[str, float]] = []
        self._window_started = time.monotonic()

    def run(self, state: TrainerState, *, should_stop: Callable[[], bool] = lambda: False) -> TrainerState:
        """Trains on from a state to the end of the run, or until it is to stop."""
        import torch

        config, engine = self._config, self._engine
        started = time.monotonic() - state.elapsed_s
        bad_in_a_row = 0
        while True:
            progress = engine.largest(
                progress_of_run(
                    state.step,
                    steps=config.steps,
                    elapsed_s=time.monotonic() - started,
                    time_limit_s=config.time_limit_s,
                )
            )
            if progress >= 1.0 or should_stop():
                break
            engine.set_rate(cosine_with_warmup(progress, warmup=config.warmup))
            # By step, so that a resumed run drops what the run in one piece would.
            torch.manual_seed(config.seed + state.step * engine.world_size + engine.rank)
            parts = engine.forward(
                *self._batches.next(rank=engine.rank, world_size=engine.world_size, progress=progress)
            )
            is_bad = engine.largest(float(not math.isfinite(parts.total.item()))) > 0
            if is_bad:
                bad_in_a_row += 1
                if bad_in_a_row >= config.max_bad_steps:
                    self._saver.finish()
                    raise StoppedError(
                        f"the loss was NaN or infinite in {bad_in_a_row} steps in a row up to step {state.step}; "
                        "run it again with resume=true and a lower lr"
                    )
            else:
                bad_in_a_row = 0
                self._saver.wait_for_copy()
                engine.update(parts.total)
                values = {"loss": parts.total.item()} | {f"loss_{name}": loss for name, loss in parts.stages.items()}
                optional = {"giou": parts.giou, "loss_patches": parts.patches}
                self._window.append(values | {name: value for name, value in optional.items() if value is not None})
            state = replace(
                state,
                step=state.step + 1,
                skipped=state.skipped + is_bad,
                drawn=self._batches.drawn,
                dropped=state.dropped + self._batches.dropped,
                elapsed_s=time.monotonic() - started,
            )
            self._batches.dropped = 0
            if state.step % config.log_every == 0 or state.step == config.steps:
                state = self._log(state, progress=progress)
            self._saver.poll()
            if state.step % config.checkpoint_every == 0 and state.step < config.steps:
                self._save(state)
        self._save(state)
        self._saver.finish()
        return state

    def _save(self, state: TrainerState) -> None:
        self._saver.save(replace(state, made_with=_made_with(self._engine, config=self._config)))

    def _log(self, state: TrainerState, *, progress: float) -> TrainerState:
        """Writes means since the last line: the loss of all workers, its parts as the first worker has them."""
        window, self._window = self._window, []
        now = time.monotonic()
        seconds, self._window_started = now - self._window_started, now
        if not window:
            return state
        figures = {key: float(np.mean([item[key] for item in window if key in item])) for key in _keys(window)}
        figures["loss"] = self._engine.mean(figures["loss"])
        if state.first_loss is None:
            state = replace(state, first_loss=figures["loss"])
        if self._engine.rank == 0:
            line = {
                "step": state.step,
                **figures,
                "lr": self._config.lr * cosine_with_warmup(progress, warmup=self._config.warmup),
                "images_per_s": len(window) * self._config.batch_size / max(seconds, 1e-9),
                "skipped": state.skipped,
                "elapsed_s": state.elapsed_s,
            }
            with self._metrics.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return state


def _resume(engine: TrainEngine, *, config: TrainConfig, files: RunFiles) -> TrainerState:
    found = latest_state(files.states)
    if found is None:
        return TrainerState()
    folder, state = found
    made_with = _made_with(engine, config=config)
    changed = [
        f"{name} {state.made_with.get(name)}, now {value}"
        for name, value in made_with.items()
        if state.made_with.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{folder} was written with {'; '.join(changed)}; use the same, or start a new run with "
            f"init={files.checkpoint}"
        )
    engine.load(folder)
    if engine.rank == 0:
        trim_metrics(files.metrics, step=state.step)
    return state


def _made_with(engine: TrainEngine, *, config: TrainConfig) -> dict[str, Any]:
    """What must not change between two attempts: the state would be read wrongly, or not at all."""
    settings = {name: getattr(config, name) for name in ("mode", "precision", "freeze_vision")}
    return {"layout": engine.layout, **settings, "lora": asdict(config.lora)}


def _keys(window: Sequence[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(key for item in window for key in item))
