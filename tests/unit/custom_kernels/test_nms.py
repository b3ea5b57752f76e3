import pytest
import torch

from pancap.caption.boxes import Box
from pancap.custom_kernels.nms import nms
from pancap.custom_kernels.nms import reference as nms_reference


def detections(number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(number, 2, generator=generator, dtype=torch.float64)
    size = 0.1 + 0.3 * torch.rand(number, 2, generator=generator, dtype=torch.float64)
    scores = torch.randint(0, number, (number,), generator=generator) / number
    return torch.cat([low, low + size], dim=1), scores, torch.randint(0, 3, (number,), generator=generator)


def kept_one_by_one(boxes, scores, labels, *, max_iou):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        rivals = [Box(*boxes[other]) for other in kept if labels[other] == labels[index]]
        if all(Box(*boxes[index]).iou(rival) <= max_iou for rival in rivals):
            kept.append(index)
    return kept


@pytest.mark.parametrize("has_labels", [False, True])
def test_the_kept_boxes_are_those_of_a_plain_loop(has_labels, monkeypatch):
    monkeypatch.setattr(nms_reference, "_BLOCK", 16)
    boxes, scores, labels = detections(120)
    kept = nms(boxes, scores, max_iou=0.3, labels_N=labels if has_labels else None)
    labels = labels if has_labels else torch.zeros_like(labels)
    expected = kept_one_by_one((boxes / 2).tolist(), scores.tolist(), labels.tolist(), max_iou=0.3)
    assert kept.tolist() == expected
    assert len(kept) < 120


def test_equal_scores_keep_their_order_and_nothing_gives_nothing():
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert nms(box.repeat(3, 1), torch.ones(3), max_iou=0.5).tolist() == [0]
    assert nms(box.repeat(3, 1), torch.ones(3), max_iou=1.0).tolist() == [0, 1, 2]
    assert nms(box[:0], torch.ones(0), max_iou=0.5).tolist() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes_N4": torch.zeros(2, 5)}, r"must be float \(N, 4\)"),
        ({"scores_N": torch.zeros(3)}, r"scores_N must be \(2,\)"),
        ({"labels_N": torch.zeros(2)}, "labels_N must be integers"),
        ({"max_iou": 1.5}, "max_iou must be 0..1"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        nms(**{"boxes_N4": torch.zeros(2, 4), "scores_N": torch.zeros(2), "max_iou": 0.5, **change})
