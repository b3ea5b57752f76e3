"""The model as it is in a state, written for people: OUT/checkpoint, and a copy left for the validation."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pancap.chain.model import Checkpoint, save_checkpoint
from pancap.chain.training.adapters import merged
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles, replace_folder
from pancap.chain.training.states import TrainerState
from pancap.chain.training.validation import leave_for_validation

if TYPE_CHECKING:
    import torch


def publish_model(
    state: TrainerState,
    weights: "Mapping[str, torch.Tensor]",
    *,
    checkpoint: Checkpoint,
    config: TrainConfig,
    files: RunFiles,
) -> None:
    """Replaces OUT/checkpoint.

    Args:
        state: where the run stood.
        weights: of the model at that time, adapters apart.
        checkpoint: the rest of what the training began from; its model's weights have moved on.
        config: the run.
        files: its folders.

    Raises:
        OSError: the disk took it not; OUT/checkpoint is as it was.
    """
    provenance = {
        "data": config.data,
        "images_seen": state.step * config.batch_size,
        "steps": state.step,
        "seed": config.seed,
        "seconds": round(state.elapsed_s, 1),
        "started_from": config.init or config.vision or "random weights",
    }
    meta = replace(
        checkpoint.meta,
        mode=config.mode,
        refines_boxes=config.box_noise > 0,
        refines_captions=config.caption_noise > 0,
        provenance=provenance,
    )
    unfinished = files.checkpoint.with_name(".writing_checkpoint")
    try:
        save_checkpoint(
            checkpoint.model,
            tokenizer=checkpoint.tokenizer,
            directory=unfinished,
            meta=meta,
            storage=config.precision,
            weights=merged(weights, config=config.lora),
        )
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if config.validation:
        leave_for_validation(unfinished, out=files.out, step=state.step)
    replace_folder(files.checkpoint, by=unfinished)
