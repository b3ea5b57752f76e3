"""The embedded detectors and tagger: small networks trained on Scenes, no download."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pancap.caption.boxes import Box
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import UNKNOWN_TAG, Region, TagGuess
from pancap.engine.detectors.letterbox import LetterboxedImage, letterbox
from pancap.engine.detectors.weights import WEIGHTS_DIR, load_into, read_info

if TYPE_CHECKING:
    from torch import Tensor

# Thresholds with the best F1 of the three passes together on Scenes seeds from 1000 (see weights/MODEL_CARD.md).
PROPOSER_MIN_SCORE = 0.2
PROPOSER_MAX_IOU = 0.75
GROUNDER_MIN_SCORE = 0.4
GROUNDER_MAX_IOU = 0.5
GROUNDER_MAX_IOU_ACROSS = 0.75
TAGGER_MIN_SCORE = 0.7
MAX_NUM_BOXES = 60
BATCH_SIZE = 16


class NanoProposer:
    """Class-agnostic detector: finds things, stuff and parts; the score estimates the IoU of the box.

    Args:
        file: weights; None for the ones shipped.
        min_score: regions below are left out.
        max_iou: regions that overlap a better one by more are left out.

    Raises:
        UsageError: the weight file is missing or does not fit.
    """

    name = "nano_proposer"

    def __init__(
        self, file: Path | None = None, *, min_score: float = PROPOSER_MIN_SCORE, max_iou: float = PROPOSER_MAX_IOU
    ) -> None:
        """Loads the network."""
        from pancap.engine.detectors.network import DetectorNetwork

        file = file or WEIGHTS_DIR / "proposer.safetensors"
        self.info = read_info(file)
        self.min_score = min_score
        self.max_iou = max_iou
        self._network = DetectorNetwork(1)
        load_into(self._network, file=file)

    def propose(self, images: Sequence[np.ndarray]) -> list[list[Region]]:
        """Regions of each image (H, W, 3 uint8 RGB), best first."""
        import torch

        from pancap.engine.detectors.decode import decode

        found: list[list[Region]] = []
        for start in range(0, len(images), BATCH_SIZE):
            boxed = [letterbox(image) for image in images[start : start + BATCH_SIZE]]
            with torch.inference_mode():
                output = self._network(network_input([image.rgb for image in boxed]))
                decoded = decode(output, min_score=self.min_score, max_iou=self.max_iou, max_num=MAX_NUM_BOXES)
            for image, boxes in zip(boxed, decoded, strict=True):
                placed = [
                    (image.from_px(box_px), float(score))
                    for box_px, score in zip(boxes.boxes_px, boxes.scores, strict=True)
                ]
                found.append([Region(box=box, score=score) for box, score in placed if box is not None])
        return found


class NanoGrounder:
    """Class-aware detector over the vocabulary of Scenes; tags outside the vocabulary find nothing.

    Args:
        file: weights; None for the ones shipped.
        min_score: detections below are left out.

    Raises:
        UsageError: the weight file is missing or does not fit.
    """

    name = "nano_grounder"

    def __init__(self, file: Path | None = None, *, min_score: float = GROUNDER_MIN_SCORE) -> None:
        """Loads the network."""
        from pancap.engine.detectors.network import DetectorNetwork

        file = file or WEIGHTS_DIR / "grounder.safetensors"
        self.info = read_info(file)
        self.vocabulary = self.info.classes
        self.min_score = min_score
        self._index = {tag: index for index, tag in enumerate(self.vocabulary)}
        self._network = DetectorNetwork(len(self.vocabulary))
        load_into(self._network, file=file)

    def ground(self, images: Sequence[np.ndarray], tags: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """Detections of each image, only of the tags asked for it, best first.

        Args:
            images: (H, W, 3) uint8 RGB each.
            tags: for each image the names to look for; `vocabulary` asks for all this model knows.

        Raises:
            ValueError: not one list of tags for each image.
        """
        if len(images) != len(tags):
            raise ValueError(f"expected one list of tags for each image, got {len(tags)} for {len(images)} images")
        found: list[list[Detection]] = []
        for start in range(0, len(images), BATCH_SIZE):
            boxed = [letterbox(image) for image in images[start : start + BATCH_SIZE]]
            found += self._ground_batch(boxed, tags=tags[start : start + BATCH_SIZE])
        return found

    def _ground_batch(self, boxed: list[LetterboxedImage], *, tags: Sequence[Sequence[str]]) -> list[list[Detection]]:
        import torch

        from pancap.custom_kernels.nms import nms
        from pancap.engine.detectors.decode import decode

        allowed = [
            np.array(sorted(self._index[tag] for tag in set(wanted) if tag in self._index), dtype=np.int64)
            for wanted in tags
        ]
        with torch.inference_mode():
            output = self._network(network_input([image.rgb for image in boxed]))
            decoded = decode(
                output, min_score=self.min_score, max_iou=GROUNDER_MAX_IOU, max_num=MAX_NUM_BOXES, allowed=allowed
            )
        found = []
        for image, boxes in zip(boxed, decoded, strict=True):
            kept = nms(
                torch.from_numpy(boxes.boxes_px), torch.from_numpy(boxes.scores), max_iou=GROUNDER_MAX_IOU_ACROSS
            ).tolist()
            placed = [(index, image.from_px(boxes.boxes_px[index])) for index in kept]
            found.append(
                [
                    Detection(
                        tag=self.vocabulary[boxes.labels[index]],
                        box=box,
                        score=float(boxes.scores[index]),
                        source=self.name,
                    )
                    for index, box in placed
                    if box is not None
                ]
            )
        return found


class NanoTagger:
    """Names regions with the vocabulary of Scenes, or `UNKNOWN_TAG` where it is not sure.

    Args:
        file: weights; None for the ones shipped.
        min_score: confidence below which a region stays unknown.

    Raises:
        UsageError: the weight file is missing or does not fit.
    """

    name = "nano_tagger"

    def __init__(self, file: Path | None = None, *, min_score: float = TAGGER_MIN_SCORE) -> None:
        """Loads the network."""
        from pancap.engine.detectors.network import TaggerNetwork

        file = file or WEIGHTS_DIR / "tagger.safetensors"
        self.info = read_info(file)
        self.vocabulary = self.info.classes
        self.min_score = min_score
        self._network = TaggerNetwork(len(self.vocabulary) + 1)
        load_into(self._network, file=file)

    def tag(self, image: np.ndarray, boxes: Sequence[Box]) -> list[TagGuess]:
        """One guess for each box of the image (H, W, 3 uint8 RGB), in order."""
        import torch

        from pancap.engine.detectors.crops import crop_boxes, place_features

        if not boxes:
            return []
        boxed = letterbox(image)
        boxes_px = torch.tensor([boxed.to_px(box) for box in boxes], dtype=torch.float32)
        with torch.inference_mode():
            crops = crop_boxes(network_input([boxed.rgb])[0], boxes_px)
            place = place_features(boxes_px, width_px=boxed.width_px, height_px=boxed.height_px)
            scores, indices = self._network(crops, place).softmax(dim=1).max(dim=1)
        return [self._guess(index, score=score) for index, score in zip(indices.tolist(), scores.tolist(), strict=True)]

    def _guess(self, index: int, *, score: float) -> TagGuess:
        is_known = index < len(self.vocabulary) and score >= self.min_score
        return TagGuess(tag=self.vocabulary[index] if is_known else UNKNOWN_TAG, score=score)


def network_input(images: Sequence[np.ndarray]) -> "Tensor":
    """Letterboxed pictures as the networks take them: (B, 3, 256, 256) float32, about -2..2, grey at 0."""
    import torch

    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return batch.div_(255).sub_(0.447).div_(0.25).contiguous(memory_format=torch.channels_last)
