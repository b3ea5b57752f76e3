import torch

from pancap.custom_kernels.nms import nms
from pancap.custom_kernels.nms.function import _nms_op
from pancap.custom_kernels.pairwise_iou import function as iou_function
from pancap.custom_kernels.pairwise_iou import pairwise_iou, pairwise_iou_ragged
from pancap.custom_kernels.roi_align import roi_align
from pancap.custom_kernels.roi_align.function import _roi_align_backward_op, _roi_align_op


def boxes(number, device, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(number, 2, 2, generator=generator).sort(dim=1).values.reshape(number, 4).to(device)


def test_strided_and_half_precision_boxes(device):
    ours, others = boxes(9, device), boxes(5, device, seed=1)
    spread = torch.cat([ours, ours], dim=1)[:, :4].T.contiguous().T
    assert torch.equal(pairwise_iou(spread, others, backend="triton"), pairwise_iou(ours, others, backend="triton"))
    half = pairwise_iou(ours.half(), others.half(), backend="triton")
    torch.testing.assert_close(half, pairwise_iou(ours.half(), others.half(), backend="torch"))


def test_empty_sets_and_empty_boxes(device):
    none = boxes(0, device)
    assert pairwise_iou(none, boxes(3, device), backend="triton").shape == (0, 3)
    assert pairwise_iou_ragged(none, none, counts=[0, 0], other_counts=[0, 0], backend="triton").values.shape == (0,)
    points = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.7, 0.2, 0.1, 0.9]], device=device)
    assert pairwise_iou(points, points, backend="triton").abs().sum() == 0


def test_more_pairs_than_a_launch_takes_are_cut(device, monkeypatch):
    monkeypatch.setattr(iou_function, "_MAX_PAIRS", 2)
    ours, others = boxes(9, device), boxes(7, device, seed=1)
    sizes = {"counts": [2, 3, 0, 4, 0], "other_counts": [1, 0, 2, 3, 1]}
    found = pairwise_iou_ragged(ours, others, **sizes, backend="triton")
    expected = pairwise_iou_ragged(ours, others, **sizes, backend="torch")
    torch.testing.assert_close(found.values, expected.values)


def test_a_chain_of_suppressions_is_walked_in_order(device):
    """The second box is dropped by the first, so the third, which overlaps the second alone, stays."""
    steps = torch.arange(40, device=device, dtype=torch.float32)
    chain = torch.stack([steps, steps * 0, steps + 2, steps * 0 + 1], dim=1)
    scores = torch.linspace(1, 0.1, 40, device=device)
    assert nms(chain, scores, max_iou=0.3, backend="triton").tolist() == list(range(0, 40, 2))


def test_no_regions_give_no_features(device):
    found = roi_align(
        torch.ones(1, 3, 8, 8, device=device), torch.zeros(0, 5, device=device), output_size=(2, 2), backend="triton"
    )
    assert found.shape == (0, 3, 2, 2)


def test_the_registrations_hold_what_torch_asks_of_an_op(device):
    ours = boxes(3, device)
    starts = torch.tensor([[0, 3], [0, 3], [0, 9]], device=device)
    torch.library.opcheck(iou_function._pairwise_iou_op, (ours, ours, starts, 9, 3, 3, True))
    torch.library.opcheck(_nms_op, (ours, torch.zeros(3, dtype=torch.int64, device=device), 0.5))
    features = torch.randn(1, 2, 6, 6, device=device, requires_grad=True)
    regions = torch.tensor([[0.0, 1.0, 1.0, 4.0, 5.0]], device=device)
    torch.library.opcheck(_roi_align_op, (features, regions, [2, 2], 1.0, 0, True))
    by_output = torch.randn(1, 2, 2, 2, device=device)
    torch.library.opcheck(_roi_align_backward_op, (by_output, regions, [1, 2, 6, 6], 1.0, 0, True))
