"""Suppression against the loop in torch and, where it works, torchvision.

Legend: N boxes.
"""

from collections.abc import Iterator

import torch

from pancap.custom_kernels.bench.case import Case, Check, kernel_backend, poisoned, turn
from pancap.custom_kernels.bench.peers import torchvision_op
from pancap.custom_kernels.nms.function import nms


def checks(device: torch.device) -> Iterator[Check]:
    """The same boxes are kept, in the same order."""
    generator = torch.Generator().manual_seed(6)
    for num_boxes in (0, 1, 33, 2000) if device.type == "cuda" else (0, 1, 33, 100):
        boxes, scores, labels = _detections(num_boxes, generator)
        for name, given in (("", None), (" by label", labels)):
            with poisoned():
                found = nms(
                    boxes.to(device),
                    scores.to(device),
                    max_iou=0.5,
                    labels_N=None if given is None else given.to(device),
                    backend=kernel_backend(device),
                )
            expected = nms(boxes, scores, max_iou=0.5, labels_N=given, backend="torch")
            error = 0.0 if torch.equal(found.cpu(), expected) else 1.0
            yield Check(name=f"nms N={num_boxes}{name}", error=error, limit=0.0)


def cases(device: torch.device) -> Iterator[Case]:
    """The proposals of one and of five pyramid levels; a toy number on the CPU."""
    generator = torch.Generator().manual_seed(7)
    for num_boxes in (2000, 8000) if device.type == "cuda" else (300,):
        boxes, scores, _ = (tensor.to(device) for tensor in _detections(num_boxes, generator))
        turns = {
            "pancap": turn(lambda b, s: nms(b, s, max_iou=0.7), [(boxes, scores)]),
            "torch reference": turn(lambda b, s: nms(b, s, max_iou=0.7, backend="torch"), [(boxes, scores)]),
        }
        for name, peer in torchvision_op("nms", device).items():
            turns[name] = turn(peer, [(boxes, scores, 0.7)])
        yield Case(
            op="nms",
            shape=f"N={num_boxes}",
            dtype="torch.float32",
            turns=turns,
            copies=1,
            # Boxes and the upper half of the bits, written and read.
            num_bytes=20 * num_boxes + num_boxes**2 / 8,
            num_flops=0,
            is_graphable=False,
        )


def _detections(number: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes in groups that overlap, scores with ties, three labels."""
    centers = torch.rand(max(1, number // 8), 2, generator=generator)
    center = centers[torch.randint(0, len(centers), (number,), generator=generator)]
    center = center + 0.02 * torch.randn(number, 2, generator=generator)
    size = 0.1 + 0.1 * torch.rand(number, 2, generator=generator)
    scores = torch.randint(0, 1 + number // 2, (number,), generator=generator) / (1 + number)
    labels = torch.randint(0, 3, (number,), generator=generator)
    return torch.cat([center - size / 2, center + size / 2], dim=1), scores, labels
