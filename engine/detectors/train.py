"""Trains the embedded proposer, grounder and tagger on Scenes and writes their weight files."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.configs.errors import UsageError
from pancap.engine.detectors.augment import Sample, Strength, augment, jitter_boxes
from pancap.engine.detectors.config import DetectorTrainConfig
from pancap.engine.detectors.letterbox import INPUT_PX
from pancap.engine.detectors.nano import network_input
from pancap.engine.detectors.scene_cache import (
    CachedScenes,
    Progress,
    Render,
    cache_scenes,
    render_for_training,
    scene_classes,
)
from pancap.engine.detectors.weights import WeightsInfo, load_into, read_info, save_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHT_DECAY = 0.02
MAX_GRADIENT_NORM = 10.0
WARMUP_SHARE = 0.08
PROGRESS_EVERY = 20
NUM_NEGATIVES = 3
MAX_NEGATIVE_IOU = 0.3
BACKBONE = ("stem", "stage8", "stage16", "stage32", "laterals", "shared", "sides")


@dataclass(frozen=True, kw_only=True)
class DetectorTrainSummary:
    """What a training run did.

    Args:
        out: folder of the weight files.
        losses: for each model that was trained the mean loss over its last tenth of steps.
        seconds: for rendering and for each model.
        num_scenes: different scenes.
    """

    out: str
    losses: dict[str, float]
    seconds: dict[str, float]
    num_scenes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """One line a model."""
        lines = [f"{self.num_scenes} scenes rendered in {self.seconds['rendering']:.0f} s; weights in {self.out}"]
        lines += [f"{name:<9} loss {loss:.3f}  {self.seconds[name]:.0f} s" for name, loss in self.losses.items()]
        return "\n".join(lines)


def train_detectors(
    config: DetectorTrainConfig, *, render: Render = render_for_training, on_progress: Progress | None = None
) -> DetectorTrainSummary:
    """Renders scenes, then trains the three models one after another; same seed and threads, same weights.

    Args:
        config: what to train.
        render: makes one scene of a seed.
        on_progress: called with (what, done, total).
    """
    import torch

    classes = scene_classes()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary, torch.random.fork_rng(devices=[]), _threads(config.num_threads):
        scenes = cache_scenes(
            Path(config.cache or temporary),
            seed=config.seed,
            num=config.num_scenes,
            classes=classes,
            num_workers=config.num_render_workers,
            render=render,
            on_progress=on_progress,
        )
        trainer = _Trainer(config, scenes=scenes, classes=classes, progress=on_progress)
        trainer.seconds["rendering"] = time.perf_counter() - started
        trainer.train_all()
    return DetectorTrainSummary(
        out=config.out, losses=trainer.losses, seconds=trainer.seconds, num_scenes=config.num_scenes
    )


@contextmanager
def _threads(num: int) -> Iterator[None]:
    """Sets torch's threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Trainer:
    """The three runs, each with its own stream of chance."""

    def __init__(
        self,
        config: DetectorTrainConfig,
        *,
        scenes: CachedScenes,
        classes: tuple[str, ...],
        progress: Progress | None,
    ) -> None:
        self.config = config
        self.scenes = scenes
        self.classes = classes
        self.progress = progress
        self.losses: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def train_all(self) -> None:
        """Proposer, then the grounder (anew: from the proposer's backbone), then the tagger."""
        import torch

        from pancap.engine.detectors.network import DetectorNetwork, TaggerNetwork

        torch.manual_seed(self.config.seed)
        proposer = DetectorNetwork(1)
        if self.config.proposer_steps:
            self._fit("proposer", proposer, self.config.proposer_steps, self._detector_loss, strength="strong")
        if self.config.grounder_steps:
            grounder = DetectorNetwork(len(self.classes))
            if not self.config.start_from:
                learned = {name: value for name, value in proposer.state_dict().items() if name.startswith(BACKBONE)}
                grounder.load_state_dict(learned, strict=False)
            self._fit("grounder", grounder, self.config.grounder_steps, self._detector_loss, strength="mild")
        if self.config.tagger_steps:
            tagger = TaggerNetwork(len(self.classes) + 1)
            self._fit("tagger", tagger, self.config.tagger_steps, self._tagger_loss, strength="mild")

    def _fit(
        self,
        name: str,
        network: "nn.Module",
        num_steps: int,
        loss_of: Callable[["nn.Module", list[Sample], np.random.Generator], "Tensor"],
        *,
        strength: Strength,
    ) -> None:
        import torch

        started = time.perf_counter()
        if self.config.start_from:
            file = Path(self.config.start_from) / f"{name}.safetensors"
            if read_info(file).classes not in ((), self.classes):
                raise UsageError(f"{file} was trained for other classes; train without start_from")
            load_into(network, file=file)
        rng = np.random.default_rng([self.config.seed, sum(name.encode())])
        network.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.config.learning_rate, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.config.learning_rate, total_steps=num_steps + 1, pct_start=WARMUP_SHARE
        )
        history = []
        for step, samples in enumerate(self._batches(num_steps, rng=rng, strength=strength), start=1):
            loss = loss_of(network, samples, rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            history.append(loss.item())
            if self.progress is not None and (step % PROGRESS_EVERY == 0 or step == num_steps):
                self.progress(f"training {name} (loss {np.mean(history[-PROGRESS_EVERY:]):.3f})", step, num_steps)
        self.losses[name] = float(np.mean(history[-max(1, num_steps // 10) :]))
        self.seconds[name] = time.perf_counter() - started
        save_weights(
            network, file=Path(self.config.out) / f"{name}.safetensors", info=self._info(name, num_steps=num_steps)
        )

    def _batches(self, num_steps: int, *, rng: np.random.Generator, strength: Strength) -> Iterator[list[Sample]]:
        order: list[int] = []
        for _ in range(num_steps):
            while len(order) < self.config.batch_size:
                order += rng.permutation(len(self.scenes)).tolist()
            chosen, order = order[: self.config.batch_size], order[self.config.batch_size :]
            yield [
                augment(
                    self.scenes.images[index],
                    self.scenes.boxes[index],
                    self.scenes.labels[index],
                    rng=rng,
                    strength=strength,
                )
                for index in chosen
            ]

    @staticmethod
    def _detector_loss(network: "nn.Module", samples: list[Sample], rng: np.random.Generator) -> "Tensor":
        import torch

        from pancap.engine.detectors.losses import Targets, detector_loss
        from pancap.engine.detectors.network import points

        centers_P2, strides_P = points(INPUT_PX, INPUT_PX)
        is_agnostic = network.num_classes == 1
        targets = [
            Targets(
                boxes_G4=torch.from_numpy(sample.boxes_px),
                labels_G=torch.from_numpy(sample.labels * 0 if is_agnostic else sample.labels),
            )
            for sample in samples
        ]
        output = network(network_input([sample.rgb for sample in samples]))
        return detector_loss(output, targets, centers_P2=centers_P2, strides_P=strides_P)

    def _tagger_loss(self, network: "nn.Module", samples: list[Sample], rng: np.random.Generator) -> "Tensor":
        import torch

        from pancap.engine.detectors.crops import crop_boxes, place_features

        images = network_input([sample.rgb for sample in samples])
        crops, places, labels = [], [], []
        for image, sample in zip(images, samples, strict=True):
            negatives = _negative_boxes(sample, rng=rng)
            boxes = np.concatenate([jitter_boxes(sample.boxes_px, rng=rng), negatives])
            if len(boxes) == 0:
                continue
            boxes_N4 = torch.from_numpy(boxes)
            crops.append(crop_boxes(image, boxes_N4))
            places.append(place_features(boxes_N4, width_px=sample.width_px, height_px=sample.height_px))
            none_of_them = np.full(len(negatives), len(self.classes))
            labels.append(torch.from_numpy(np.concatenate([sample.labels, none_of_them])))
        logits = network(torch.cat(crops).contiguous(memory_format=torch.channels_last), torch.cat(places))
        return torch.nn.functional.cross_entropy(logits, torch.cat(labels), label_smoothing=0.05)

    def _info(self, name: str, *, num_steps: int) -> WeightsInfo:
        import torch

        shown = {
            key: value for key, value in asdict(self.config).items() if key not in {"out", "cache"} and value != ""
        }
        return WeightsInfo(
            kind=name,
            classes=() if name == "proposer" else self.classes,
            command=" ".join(["pancap train detectors", *(f"{key}={value}" for key, value in shown.items())]),
            seed=self.config.seed,
            num_scenes=self.config.num_scenes,
            num_steps=num_steps,
            batch_size=self.config.batch_size,
            version=f"torch {torch.__version__}",
        )


def _negative_boxes(sample: Sample, *, rng: np.random.Generator) -> np.ndarray:
    """Random boxes that hit nothing well, for the class "none of them"."""
    import torch

    from pancap.custom_kernels.pairwise_iou import pairwise_iou

    size = np.exp(rng.uniform(np.log(12), np.log(160), (NUM_NEGATIVES, 2)))
    corner = rng.uniform(0, 1, (NUM_NEGATIVES, 2)) * np.maximum([sample.width_px, sample.height_px] - size, [1.0, 1.0])
    boxes = np.concatenate([corner, corner + size], axis=1).clip(0, INPUT_PX).astype(np.float32)
    if len(sample.boxes_px) == 0:
        return boxes
    overlap_NM = pairwise_iou(torch.from_numpy(boxes), torch.from_numpy(sample.boxes_px).float())
    return boxes[(overlap_NM.amax(dim=1) < MAX_NEGATIVE_IOU).numpy()]
