"""Joining what several detectors found in one image."""

from collections.abc import Sequence

from pancap.engine.detections import Detection


def join_detections(
    first: Sequence[Detection], others: Sequence[Sequence[Detection]], *, max_iou: float
) -> list[Detection]:
    """The first detector's regions, and of the others those that lie elsewhere.

    There is no suppression across detectors, because their confidences cannot be compared: what stands in the result
    stays, and a later region joins only if its IoU with every one of them is at most `max_iou`.

    Args:
        first: regions that all stay (tagged proposals).
        others: regions of further detectors, in the order in which they may join.
        max_iou: 0..1.

    Source: PAPER, PancapEngine, step 4.
    """
    joined = list(first)
    for detections in others:
        for detection in detections:
            if all(detection.box.iou(known.box) <= max_iou for known in joined):
                joined.append(detection)
    return joined
