"""Joining what several detectors found in one image."""

from collections.abc import Sequence

from pancap.engine.detections import Detection


def drop_doubles(detections: Sequence[Detection], *, max_iou: float) -> list[Detection]:
    """One detector's regions without those that name again what a better one of them names.

    A class-agnostic detector proposes several boxes for one wall; only once they are named is that to be seen.

    Args:
        detections: of one detector, whose scores can be compared.
        max_iou: regions of one tag may overlap this much, 0..1.

    Returns:
        What stays, best first.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda item: -item.score):
        if all(known.tag != detection.tag or known.box.iou(detection.box) <= max_iou for known in kept):
            kept.append(detection)
    return kept


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
