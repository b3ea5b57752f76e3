"""Overlaps against the loops that they replace. `python -m pancap.custom_kernels.pairwise_iou.bench`: the CPU ratio.

Legend: N and M boxes of two sets, P pairs of sets.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import torch

from pancap.custom_kernels.bench.case import (
    Case,
    Check,
    Turn,
    compiled,
    copies_for,
    kernel_backend,
    poisoned,
    relative_error,
    turn,
)
from pancap.custom_kernels.bench.timing import time_interleaved
from pancap.custom_kernels.pairwise_iou.function import Kind, pairwise_iou, pairwise_iou_ragged

_KINDS: tuple[Kind, ...] = ("iou", "giou")
_MAX_BOXES = 50


def checks(device: torch.device) -> Iterator[Check]:
    """IoU and GIoU, dense and ragged, with empty and touching boxes, against float64."""
    generator = torch.Generator().manual_seed(3)
    for num_boxes, num_others in ((1, 1), (63, 100), (100, 1), (0, 5), (130, 257)):
        boxes, others = _boxes(num_boxes, generator), _boxes(num_others, generator)
        for kind in _KINDS:
            with poisoned():
                found = pairwise_iou(boxes.to(device), others.to(device), kind=kind, backend=kernel_backend(device))
            expected = pairwise_iou(boxes.double(), others.double(), kind=kind, backend="torch")
            name = f"pairwise_iou {kind} {num_boxes} x {num_others}"
            yield Check(name=name, error=relative_error(found, expected), limit=1e-5)
    counts, other_counts = [3, 0, 70, 1, 9], [5, 4, 33, 0, 1]
    boxes, others = _boxes(sum(counts), generator), _boxes(sum(other_counts), generator)
    for kind in _KINDS:
        sizes = {"counts": counts, "other_counts": other_counts}
        with poisoned():
            values = pairwise_iou_ragged(
                boxes.to(device), others.to(device), **sizes, kind=kind, backend=kernel_backend(device)
            ).values
        wide = pairwise_iou_ragged(boxes.double(), others.double(), **sizes, kind=kind, backend="torch").values
        yield Check(name=f"pairwise_iou ragged {kind}", error=relative_error(values, wide), limit=1e-5)


def cases(device: torch.device) -> Iterator[Case]:
    """8192 x 8192 dense and 512 ragged pairs of up to 64 boxes; toy sizes on the CPU."""
    is_gpu = device.type == "cuda"
    generator = torch.Generator().manual_seed(4)
    size = 8192 if is_gpu else 256
    boxes, others = (_boxes(size, generator).to(device) for _ in range(2))
    for kind in _KINDS:
        turns = {"pancap": turn(partial(pairwise_iou, kind=kind), [(boxes, others)])}
        if kind == "iou":
            turns["torch eager"] = turn(_plain, [(boxes, others)])
            for name, function in compiled(_plain, device).items():
                turns[name] = turn(function, [(boxes, others)])
        yield Case(
            op="pairwise_iou",
            shape=f"dense {kind} {size} x {size}",
            dtype="torch.float32",
            turns=turns,
            copies=1,
            num_bytes=4 * size**2 + 32 * size,
            num_flops=0,
            is_graphable=False,
        )
    num_pairs = 512 if is_gpu else 200
    counts, other_counts = (torch.randint(1, 65, (num_pairs,), generator=generator) for _ in range(2))
    boxes, others = (_boxes(int(c.sum()), generator).to(device) for c in (counts, other_counts))
    sets = list(zip(boxes.split(counts.tolist()), others.split(other_counts.tolist()), strict=True))
    num_values = int((counts * other_counts).sum())
    copies = copies_for(num_values * 4, device)
    ragged = [(boxes, others, counts, other_counts)] * copies
    yield Case(
        op="pairwise_iou",
        shape=f"ragged, {num_pairs} pairs of up to 64 boxes, {num_values} values",
        dtype="torch.float32",
        turns={
            "pancap": turn(lambda a, b, n, m: pairwise_iou_ragged(a, b, counts=n, other_counts=m), ragged),
            "a torch call a pair": turn(_call_a_pair, [(sets,)] * copies),
        },
        copies=copies,
        num_bytes=4 * num_values + 16 * (len(boxes) + len(others)),
        num_flops=0,
        is_graphable=False,
    )


def cpu_ratio(*, num_pairs: int = 100_000, sample: int = 400, rounds: int = 7) -> dict[str, tuple[float, float, float]]:
    """Processor time of one core for many ragged pairs of sets of 1 to 50 boxes, and of the loops they replace.

    The loops are run on `sample` of the pairs, in turn with ours on all of them.

    Returns:
        By name, nanoseconds a value: median, 20 % and 80 %. Ours stands there twice, to show the noise.
    """
    generator = torch.Generator().manual_seed(5)
    counts, other_counts = (torch.randint(1, _MAX_BOXES + 1, (num_pairs,), generator=generator) for _ in range(2))
    boxes, others = (_boxes(int(c.sum()), generator) for c in (counts, other_counts))
    some = slice(0, sample)
    sets = list(zip(boxes.split(counts.tolist())[some], others.split(other_counts.tolist())[some], strict=True))
    lists = [(a.tolist(), b.tolist()) for a, b in sets]
    arrays = [(a.numpy(), b.numpy()) for a, b in sets]
    ours = partial(pairwise_iou_ragged, boxes, others, counts=counts, other_counts=other_counts)
    turns: dict[str, Turn] = {
        "pancap": ours,
        "pancap again": ours,
        "a numpy call a pair of sets": lambda: [_numpy_call(a, b) for a, b in arrays],
        "a Python loop over pairs of boxes": lambda: [_python_loop(a, b) for a, b in lists],
    }
    timings = time_interleaved(turns, device=torch.device("cpu"), copies=1, rounds=rounds)
    sizes = counts * other_counts
    found = {}
    for name, timing in timings.items():
        to_ns = 1e3 / int(sizes.sum() if turns[name] is ours else sizes[some].sum())
        found[name] = (timing.median_us * to_ns, timing.low_us * to_ns, timing.high_us * to_ns)
    return found


def _boxes(number: int, generator: torch.Generator) -> torch.Tensor:
    """Boxes in the unit square; every ninth is empty, every seventh repeats the one before."""
    corners = torch.rand(number, 2, 2, generator=generator).sort(dim=1).values.reshape(number, 4)
    corners[8::9, 2:] = corners[8::9, :2]
    corners[7::7] = corners[6::7][: len(corners[7::7])]
    return corners


def _plain(boxes_N4: torch.Tensor, others_M4: torch.Tensor) -> torch.Tensor:
    """Dense IoU as one would write it."""
    low = torch.maximum(boxes_N4[:, None, :2], others_M4[:, :2])
    high = torch.minimum(boxes_N4[:, None, 2:], others_M4[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    area_N, area_M = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes_N4, others_M4))
    return shared / (area_N[:, None] + area_M - shared)


def _call_a_pair(sets: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    return [_plain(boxes, others) for boxes, others in sets]


def _numpy_call(boxes, others):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    import numpy as np

    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    other_areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    with np.errstate(all="ignore"):
        return shared / (areas[:, None] + other_areas[None, :] - shared)


def _python_loop(boxes: list[list[float]], others: list[list[float]]) -> list[list[float]]:
    return [[_python_iou(box, other) for other in others] for box in boxes]


def _python_iou(box: list[float], other: list[float]) -> float:
    x1, y1, x2, y2 = box
    other_x1, other_y1, other_x2, other_y2 = other
    width, height = min(x2, other_x2) - max(x1, other_x1), min(y2, other_y2) - max(y1, other_y1)
    shared = width * height if width > 0 and height > 0 else 0.0
    union = (x2 - x1) * (y2 - y1) + (other_x2 - other_x1) * (other_y2 - other_y1) - shared
    return shared / union if union > 0 else 0.0


if __name__ == "__main__":
    torch.set_num_threads(1)
    times = cpu_ratio()
    print(f"{'processor time a value, one core':<36}{'ns':>9}{'20 %':>9}{'80 %':>9}{'x':>7}")
    for name, (median, low, high) in times.items():
        print(f"{name:<36}{median:>9.1f}{low:>9.1f}{high:>9.1f}{median / times['pancap'][0]:>7.2f}")
