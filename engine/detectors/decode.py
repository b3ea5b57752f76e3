"""From raw heads to boxes. Imports torch."""

from dataclasses import dataclass

import numpy as np
import torch

from pancap.custom_kernels.nms import nms
from pancap.engine.detectors.letterbox import INPUT_PX
from pancap.engine.detectors.network import DetectorOutput, boxes_from_sides, points

# Boxes of an image that enter the suppression, best first: its cost grows with the square.
MAX_CANDIDATES = 400


@dataclass(frozen=True, kw_only=True)
class DecodedBoxes:
    """Boxes of one image in input pixels, best first.

    Args:
        boxes_px: (N, 4) corners.
        scores: (N,) 0..1.
        labels: (N,) class indices.
    """

    boxes_px: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def decode(
    output: DetectorOutput, *, min_score: float, max_iou: float, max_num: int, allowed: list[np.ndarray] | None = None
) -> list[DecodedBoxes]:
    """Boxes of every image above a score, without repetitions.

    Args:
        output: heads for images of INPUT_PX.
        min_score: 0..1.
        max_iou: two boxes of a class that overlap more are one.
        max_num: boxes an image at most.
        allowed: for each image the class indices that may be returned; None for all.
    """
    centers_P2, _ = points(INPUT_PX, INPUT_PX)
    boxes_BP4 = boxes_from_sides(centers_P2, output.sides_BP4).clamp(0, INPUT_PX).numpy()
    scores_BPK = output.logits_BPK.sigmoid().numpy()
    decoded = []
    for index, (boxes_P4, scores_PK) in enumerate(zip(boxes_BP4, scores_BPK, strict=True)):
        if allowed is not None:
            wanted = np.zeros(scores_PK.shape[1], dtype=bool)
            wanted[allowed[index]] = True
            scores_PK = np.where(wanted, scores_PK, -1.0)
        point_N, label_N = np.nonzero(scores_PK >= min_score)
        score_N = scores_PK[point_N, label_N]
        best_N = np.argsort(-score_N, kind="stable")[:MAX_CANDIDATES]
        box_N4, score_N, label_N = boxes_P4[point_N[best_N]], score_N[best_N], label_N[best_N]
        boxes, labels = torch.from_numpy(box_N4), torch.from_numpy(label_N)
        kept = nms(boxes, torch.from_numpy(score_N), max_iou=max_iou, labels_N=labels)[:max_num].numpy()
        decoded.append(DecodedBoxes(boxes_px=box_N4[kept], scores=score_N[kept], labels=label_N[kept]))
    return decoded
