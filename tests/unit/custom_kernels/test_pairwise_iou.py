import pytest
import torch

from pancap.caption.boxes import Box
from pancap.custom_kernels.pairwise_iou import pairwise_iou, pairwise_iou_ragged
from pancap.custom_kernels.pairwise_iou import reference as iou_reference


def boxes(number, seed=0):
    corners = torch.rand(number, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return corners.sort(dim=1).values.reshape(number, 4)


def test_iou_is_that_of_the_captions_boxes():
    ours, others = boxes(7), boxes(5, seed=1)
    found = pairwise_iou(ours, others)
    for row, box in enumerate(ours.tolist()):
        for column, other in enumerate(others.tolist()):
            assert found[row, column].item() == pytest.approx(Box(*box).iou(Box(*other)), abs=1e-12)


def test_giou_of_known_boxes():
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    others = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 1.0], [3.0, 0.0, 4.0, 1.0], [2.0, 2.0, 2.0, 2.0]])
    found = pairwise_iou(box, others, kind="giou")
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.5, -0.5, 1 / 4 - 1]]))


def test_empty_boxes_overlap_nothing_not_even_themselves():
    odd = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.7, 0.2, 0.1, 0.9], [0.0, 0.0, 1.0, 1.0]])
    found = pairwise_iou(odd, odd)
    assert found.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert pairwise_iou(odd, odd, kind="giou").isfinite().all()


@pytest.mark.parametrize("kind", ["iou", "giou"])
def test_ragged_pairs_are_the_dense_ones_block_by_block(kind, monkeypatch):
    monkeypatch.setattr(iou_reference, "_STEP_VALUES", 16)
    generator = torch.Generator().manual_seed(2)
    counts, other_counts = (torch.randint(0, 9, (40,), generator=generator) for _ in range(2))
    ours, others = boxes(int(counts.sum())), boxes(int(other_counts.sum()), seed=1)
    found = pairwise_iou_ragged(ours, others, counts=counts, other_counts=other_counts, kind=kind)
    pairs = zip(ours.split(counts.tolist()), others.split(other_counts.tolist()), strict=True)
    for block, (first, second) in zip(found.blocks(), pairs, strict=True):
        torch.testing.assert_close(block, pairwise_iou(first, second, kind=kind))


def test_no_pairs_give_no_values():
    none = torch.zeros(0, 4)
    assert pairwise_iou_ragged(none, none, counts=[], other_counts=[]).blocks() == []
    assert pairwise_iou(none, torch.zeros(3, 4)).shape == (0, 3)


def test_half_precision_is_computed_in_float32():
    ours = boxes(4).to(torch.bfloat16)
    assert pairwise_iou(ours, ours).dtype == torch.float32
    torch.testing.assert_close(pairwise_iou(ours, ours), pairwise_iou(ours.float(), ours.float()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"others_M4": torch.zeros(3, 5)}, r"must be float \(N, 4\)"),
        ({"others_M4": torch.zeros(3, 4, dtype=torch.int64)}, r"must be float \(N, 4\)"),
        ({"others_M4": torch.zeros(3, 4, dtype=torch.float64)}, "must share a dtype"),
        ({"kind": "diou"}, "kind must be iou or giou"),
        ({"counts": [1]}, "one count a pair"),
        ({"counts": [3, 0]}, "add up to 2 boxes, got 3"),
        ({"other_counts": [4, -1]}, "must be >= 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {"boxes_N4": torch.zeros(2, 4), "others_M4": torch.zeros(3, 4), "counts": [1, 1], "other_counts": [1, 2]}
    with pytest.raises(ValueError, match=message):
        pairwise_iou_ragged(**{**given, **change})
