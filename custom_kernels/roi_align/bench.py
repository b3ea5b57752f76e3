"""RoIAlign against the same gathers in torch and, where it works, torchvision.

Legend: N images, C channels, R regions.
"""

from collections.abc import Iterator
from typing import Any

import torch

from pancap.custom_kernels.bench.case import Case, Check, kernel_backend, limit_for, poisoned, relative_error, turn
from pancap.custom_kernels.bench.peers import torchvision_op
from pancap.custom_kernels.roi_align.function import roi_align

_SIZE = (7, 7)


def checks(device: torch.device) -> Iterator[Check]:
    """Both directions, adaptive and fixed sampling, aligned and not, regions that leave the image, against float64."""
    generator = torch.Generator().manual_seed(8)
    regions = _regions(40 if device.type == "cuda" else 4, 2, 36.0, generator)
    for dtype in (torch.float32, torch.bfloat16):
        features = torch.randn(2, 5, 11, 13, generator=generator).to(dtype)
        for sampling in (0, 2):
            for is_aligned in (True, False):
                if dtype == torch.bfloat16 and (sampling or not is_aligned):
                    continue
                options: dict[str, Any] = {
                    "output_size": (2, 3),
                    "spatial_scale": 0.25,
                    "sampling": sampling,
                    "is_aligned": is_aligned,
                }
                ours = features.to(device).requires_grad_()
                wide = features.double().requires_grad_()
                with poisoned():
                    found = roi_align(ours, regions.to(device), **options, backend=kernel_backend(device))
                    weights = torch.randn(found.shape, generator=generator).to(dtype)
                    (gradient,) = torch.autograd.grad(found, ours, weights.to(device))
                expected = roi_align(wide, regions.double(), **options, backend="torch")
                (wide_gradient,) = torch.autograd.grad(expected, wide, weights.double())
                name = f"roi_align sampling={sampling} aligned={is_aligned} {dtype}"
                yield Check(name=name, error=relative_error(found.detach(), expected.detach()), limit=limit_for(dtype))
                error = relative_error(gradient, wide_gradient)
                yield Check(name=f"{name} d features", error=error, limit=limit_for(dtype))


def cases(device: torch.device) -> Iterator[Case]:
    """1000 proposals on the finest level of a 1333 x 800 image's pyramid; a toy shape on the CPU."""
    is_gpu = device.type == "cuda"
    channels, height, width, num_regions = (256, 200, 334, 1000) if is_gpu else (8, 20, 30, 10)
    generator = torch.Generator().manual_seed(9)
    features = torch.randn(1, channels, height, width, generator=generator).to(device)
    features = features.to(memory_format=torch.channels_last)
    regions = _regions(num_regions, 1, 4.0 * min(height, width), generator).to(device)
    turns = {
        "pancap": turn(lambda f, r: roi_align(f, r, output_size=_SIZE, spatial_scale=0.25), [(features, regions)]),
        "torch reference": turn(
            lambda f, r: roi_align(f, r, output_size=_SIZE, spatial_scale=0.25, backend="torch"), [(features, regions)]
        ),
    }
    for name, peer in torchvision_op("roi_align", device).items():
        turns[name] = turn(peer, [(features.contiguous(), regions, _SIZE, 0.25, -1, True)])
    yield Case(
        op="roi_align",
        shape=f"C={channels} {height} x {width}, R={num_regions}, 7 x 7, adaptive",
        dtype="torch.float32",
        turns=turns,
        copies=1,
        num_bytes=4 * (features.numel() + num_regions * channels * 49),
        num_flops=0,
        is_graphable=True,
    )


def _regions(number: int, num_images: int, size: float, generator: torch.Generator) -> torch.Tensor:
    """Regions of all sizes, some partly outside, one empty."""
    low = torch.rand(number, 2, generator=generator) * size - 5
    high = low + torch.rand(number, 2, generator=generator) * size / 2
    high[0] = low[0]
    images = torch.randint(0, num_images, (number, 1), generator=generator).float()
    return torch.cat([images, low, high], dim=1)
