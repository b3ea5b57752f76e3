"""The checkpoint that a training begins from."""

from collections.abc import Sequence
from dataclasses import replace

from pancap.chain.config import ChainMode, ModelConfig
from pancap.chain.model import Checkpoint, CheckpointMeta, StorageType, build_model, load_checkpoint
from pancap.chain.tokenizer import train_tokenizer
from pancap.chain.training.vision import load_tower
from pancap.chain.tuples import TrainingImage


def starting_checkpoint(
    images: Sequence[TrainingImage],
    *,
    init: str | None,
    vision: str | None,
    model: ModelConfig,
    mode: ChainMode,
    seed: int,
    precision: StorageType = "float32",
) -> Checkpoint:
    """A given checkpoint, or a new one with a tokenizer learned from captions and tags.

    Args:
        images: the dataset; only read for a new one.
        init: folder of a checkpoint, or the name of a shipped one.
        vision: folder of a pretrained vision tower, for a new one.
        model: sizes of a new one.
        mode: the stages that it is to be trained for.
        seed: of new weights.
        precision: of a given one's weights.

    Raises:
        UsageError: no such checkpoint or tower.
    """
    if init:
        given = load_checkpoint(init, dtype=precision)
        return replace(given, meta=replace(given.meta, mode=mode))
    texts = [image.caption for image in images]
    texts += [item.tag for image in images for item in image.instances]
    tokenizer = train_tokenizer(texts, vocabulary_size=model.vocabulary_size, coordinates=model.coordinates)
    new = build_model(model, tokenizer=tokenizer, seed=seed)
    if vision:
        load_tower(new.model.vision_tower, vision)
    return Checkpoint(model=new, tokenizer=tokenizer, meta=CheckpointMeta(coordinates=model.coordinates, mode=mode))
