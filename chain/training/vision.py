"""Pretraining of the vision tower: what CLIP's pretraining is to the paper's model, at the size of two CPU cores.

Every patch is asked what it shows (chain/training/patches.py) through linear heads that are thrown away afterwards, so
that the answers lie in the features linearly, where the language model can read them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.config import ModelConfig
from pancap.chain.data.datasets import read_training_images
from pancap.chain.training.config import VisionTrainConfig
from pancap.chain.training.encoding import image_order
from pancap.chain.training.patches import PatchClasses, PatchTargets, collect_classes, patch_targets
from pancap.chain.training.pixels import Progress, cache_pixels, open_pixels
from pancap.chain.training.pretraining import Metrics, pretrain
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch

TOWER_FILE = "vision.safetensors"
TOWER_META_FILE = "vision.json"
HELD_OUT = 64  # images of the end of the dataset, for the figures of the summary
BOX_WEIGHT, GIOU_WEIGHT, ATTRIBUTE_WEIGHT, GLOBAL_WEIGHT = 5.0, 1.0, 4.0, 1.0
SMALL_BOX_AREA = 0.1  # of the square; sky and ground span it, and their boxes say nothing of columns


@dataclass(frozen=True, kw_only=True)
class VisionSummary:
    """What a pretraining run did.

    Args:
        tower: folder of the trained tower.
        steps, images, seconds: amount of work, of all attempts together.
        resumed_from: step that this attempt went on from; 0 for a new run.
        held_out: figures over images that were not trained on.
    """

    tower: str
    steps: int
    resumed_from: int
    images: int
    seconds: float
    held_out: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A few lines for a terminal."""
        figures = ", ".join(f"{name} {value:.3f}" for name, value in self.held_out.items())
        return (
            f"vision tower {self.tower}\n{self.steps} steps, {self.images} images in {self.seconds:.0f} s"
            f" ({self.images / max(self.seconds, 1e-9):.1f} images/s)\nheld out: {figures}"
        )


def train_vision(
    config: VisionTrainConfig,
    *,
    config_text: str = "",
    on_progress: Progress | None = None,
    on_metrics: Metrics | None = None,
) -> VisionSummary:
    """Pretrains a vision tower in this process and writes it to config.out.

    Args:
        config: the run.
        config_text: unresolved YAML, kept beside the tower.
        on_progress: called with (what, done, total).
        on_metrics: called with (step, figures).

    Raises:
        UsageError: the dataset is missing or too small, or a run to resume was started with other settings.
    """
    import torch

    from pancap.chain.images import normalize

    torch.set_num_threads(config.num_threads)
    torch.manual_seed(config.seed)
    images = read_training_images(config.data, images=config.images, with_content=True, limit=config.limit)
    num_train = len(images) - min(HELD_OUT, len(images) // 5)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    pixels, refused = open_pixels(
        cache_pixels(
            images, image_px=config.model.image_px, folder=config.cache or out / "cache", on_progress=on_progress
        )
    )
    classes = collect_classes(images, max_tags=config.max_tags)
    learner = _build_learner(config.model, classes)
    if config.init:
        load_tower(learner.tower, config.init)
    batches = _batches(images[:num_train], pixels=pixels, refused=refused, classes=classes, config=config)
    done = pretrain(
        learner,
        torch.optim.AdamW(learner.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True),
        batches=batches,
        loss=lambda batch: _loss(learner(normalize(batch[0])), batch[1]),
        config=config,
        what="training the vision tower",
        on_progress=on_progress,
        on_metrics=on_metrics,
    )
    held_out = _evaluate(learner, images[num_train:], pixels[num_train:], classes=classes, model=config.model)
    save_tower(learner.tower, out, model=config.model, facts={"steps": done.steps, "held_out": held_out})
    if config_text:
        (out / "config.yaml").write_text(config_text)
    return VisionSummary(
        tower=str(out),
        steps=done.steps,
        resumed_from=done.resumed_from,
        images=done.steps * config.batch_size,
        seconds=done.seconds,
        held_out=held_out,
    )


def save_tower(
    tower: "torch.nn.Module", directory: str | Path, *, model: ModelConfig, facts: Mapping[str, Any]
) -> None:
    """Writes a tower's weights and sizes."""
    from safetensors.torch import save_file

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tower.state_dict().items()}, str(folder / TOWER_FILE))
    (folder / TOWER_META_FILE).write_text(json.dumps({"model": asdict(model), **facts}, indent=2) + "\n")


def load_tower(tower: "torch.nn.Module", directory: str | Path) -> None:
    """Reads pretrained weights into a tower.

    Raises:
        UsageError: no tower there, or one of other sizes.
    """
    from safetensors.torch import load_file

    path = Path(directory) / TOWER_FILE
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give the folder that pancap train vision wrote")
    try:
        tower.load_state_dict(load_file(str(path)))
    except RuntimeError as error:
        raise UsageError(
            f"the vision tower in {directory} has other sizes than the model ({str(error).splitlines()[-1].strip()}); "
            "give both the same model settings"
        ) from error


def _build_learner(model: ModelConfig, classes: PatchClasses) -> Any:
    import torch
    from transformers import CLIPVisionModel

    from pancap.chain.model import vision_config, wave_positions

    class VisionLearner(torch.nn.Module):
        """The tower and its throw-away heads."""

        def __init__(self) -> None:
            super().__init__()
            self.tower = CLIPVisionModel(vision_config(model))
            wave_positions(self.tower)
            self.tags = torch.nn.Linear(model.vision_hidden, len(classes.tags))
            self.boxes = torch.nn.Linear(model.vision_hidden, 4)
            self.attributes = torch.nn.Linear(model.vision_hidden, len(classes.attributes))
            self.globals = torch.nn.Linear(model.vision_hidden, len(classes.globals))
            self.norm = torch.nn.LayerNorm(model.vision_hidden)

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            states = self.tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
            states = self.norm(states)
            pooled = self.globals(states).mean(dim=1)
            return self.tags(states), self.boxes(states).sigmoid(), self.attributes(states), pooled

    return VisionLearner()


def _batches(
    images: Sequence[TrainingImage],
    *,
    pixels: np.ndarray,
    refused: frozenset[int],
    classes: PatchClasses,
    config: VisionTrainConfig,
) -> Iterator[tuple[np.ndarray, list[PatchTargets]]]:
    """Batches for ever; every other time an image is shown mirrored."""
    grid = config.model.image_px // config.model.patch_px
    known: dict[int, PatchTargets] = {}
    order = image_order(len(images), seed=config.seed)
    while True:
        squares: list[np.ndarray] = []
        targets: list[PatchTargets] = []
        while len(targets) < config.batch_size:
            epoch, index = next(order)
            if index in refused:
                continue
            if index not in known:
                known[index] = patch_targets(images[index], classes=classes, grid=grid)
            if (epoch + index) % 2:
                squares.append(pixels[index, :, ::-1])
                targets.append(mirrored(known[index], grid=grid))
            else:
                squares.append(pixels[index])
                targets.append(known[index])
        yield np.stack(squares), targets


def mirrored(targets: PatchTargets, *, grid: int) -> PatchTargets:
    """Targets of the image flipped left to right."""
    flip = np.arange(grid * grid).reshape(grid, grid)[:, ::-1].ravel()
    boxes = targets.boxes_P4[flip]
    return PatchTargets(
        tags_P=targets.tags_P[flip],
        weights_P=targets.weights_P[flip],
        boxes_P4=np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1),
        attributes_PA=targets.attributes_PA[flip],
        globals_G=targets.globals_G,
        has_content=targets.has_content,
    )


def _loss(
    outputs: "tuple[torch.Tensor, ...]", targets: Sequence[PatchTargets]
) -> "tuple[torch.Tensor, dict[str, float]]":
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    tag_logits, boxes, attribute_logits, global_logits = outputs
    tags = torch.from_numpy(np.stack([item.tags_P for item in targets])).flatten()
    shown = (tags >= 0).nonzero().squeeze(1)
    true_boxes = torch.from_numpy(np.stack([item.boxes_P4 for item in targets])).flatten(0, 1)[shown]
    weights = torch.from_numpy(np.stack([item.weights_P for item in targets])).flatten()[shown]
    weights = weights / weights.sum()
    found_boxes, tag_logits = boxes.flatten(0, 1)[shown], tag_logits.flatten(0, 1)[shown]
    tag_loss = (weights * cross_entropy(tag_logits, tags[shown], reduction="none")).sum()
    overlap = (weights * giou(found_boxes, true_boxes)).sum()
    distance = (weights * (found_boxes - true_boxes).abs().mean(dim=1)).sum()
    loss = tag_loss + BOX_WEIGHT * distance + GIOU_WEIGHT * (1 - overlap)
    figures = {
        "tag_loss": tag_loss.item(),
        "tag_accuracy": (weights * (tag_logits.argmax(1) == tags[shown])).sum().item(),
        "box_giou": overlap.item(),
    }
    is_small = (true_boxes[:, 2:] - true_boxes[:, :2]).prod(dim=1) < SMALL_BOX_AREA
    if is_small.any():
        distances = (found_boxes - true_boxes)[is_small].abs()
        figures |= {
            "small_box_x_error": distances[:, ::2].mean().item(),
            "small_box_y_error": distances[:, 1::2].mean().item(),
        }
    if all(item.has_content for item in targets):
        true_attributes = torch.from_numpy(np.stack([item.attributes_PA for item in targets])).flatten(0, 1)[shown]
        true_globals = torch.from_numpy(np.stack([item.globals_G for item in targets]))
        if true_attributes.shape[1]:
            found_attributes = attribute_logits.flatten(0, 1)[shown]
            parts = binary_cross_entropy_with_logits(found_attributes, true_attributes, reduction="none").mean(dim=1)
            part = (weights * parts).sum()
            loss, figures["attribute_loss"] = loss + ATTRIBUTE_WEIGHT * part, part.item()
        if true_globals.shape[1]:
            part = binary_cross_entropy_with_logits(global_logits, true_globals)
            loss, figures["global_loss"] = loss + GLOBAL_WEIGHT * part, part.item()
    figures["loss"] = loss.item()
    return loss, figures


def _evaluate(
    learner: Any, images: Sequence[TrainingImage], pixels: np.ndarray, *, classes: PatchClasses, model: ModelConfig
) -> dict[str, float]:
    import torch

    from pancap.chain.images import normalize

    if not images:
        return {}
    grid = model.image_px // model.patch_px
    targets = [patch_targets(image, classes=classes, grid=grid) for image in images]
    with torch.no_grad():
        return _loss(learner(normalize(np.array(pixels))), targets)[1]


def giou(boxes: "torch.Tensor", others: "torch.Tensor") -> "torch.Tensor":
    """Generalized IoU of box pairs, (N, 4) each, -1..1; corners out of order count as empty.

    Source: Rezatofighi et al., CVPR 2019: IoU - (hull - union) / hull.
    """
    import torch

    def area(corners: "torch.Tensor") -> "torch.Tensor":
        return (corners[:, 2:] - corners[:, :2]).clamp_min(0).prod(dim=1)

    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    union = area(boxes) + area(others) - shared
    hull_low, hull_high = torch.minimum(boxes[:, :2], others[:, :2]), torch.maximum(boxes[:, 2:], others[:, 2:])
    hull = (hull_high - hull_low).prod(dim=1).abs().clamp_min(1e-6)
    return shared / union.clamp_min(1e-6) - (hull - union) / hull
