import math

import pytest
import torch

from pancap.custom_kernels.roi_align import reference as roi_reference
from pancap.custom_kernels.roi_align import roi_align


def sample(plane, y, x):
    """One bilinear sample, as the paper's formula reads."""
    height, width = len(plane), len(plane[0])
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = plane[top][left] * (1 - across) + plane[top][right] * across
    lower = plane[bottom][left] * (1 - across) + plane[bottom][right] * across
    return upper * (1 - down) + lower * down


def slow_roi_align(features, regions, *, output_size, scale, sampling, is_aligned):
    shift = 0.5 if is_aligned else 0.0
    found = torch.zeros(len(regions), features.shape[1], *output_size, dtype=torch.float64)
    for row, (image, *corners) in enumerate(regions.tolist()):
        x1, y1, x2, y2 = (corner * scale - shift for corner in corners)
        size = [y2 - y1, x2 - x1] if is_aligned else [max(y2 - y1, 1.0), max(x2 - x1, 1.0)]
        points = [sampling or math.ceil(length / bins) for length, bins in zip(size, output_size, strict=True)]
        for channel, plane in enumerate(features[int(image)].tolist()):
            for i in range(output_size[0]):
                for j in range(output_size[1]):
                    samples = [
                        sample(
                            plane,
                            y1 + (i + (a + 0.5) / points[0]) * size[0] / output_size[0],
                            x1 + (j + (b + 0.5) / points[1]) * size[1] / output_size[1],
                        )
                        for a in range(points[0])
                        for b in range(points[1])
                    ]
                    found[row, channel, i, j] = sum(samples) / max(len(samples), 1)
    return found


def inputs():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 2, 6, 7, generator=generator, dtype=torch.float64)
    regions = torch.tensor(
        [
            [0, 4.0, 4.0, 20.0, 16.0],
            [1, -9.0, 2.0, 40.0, 31.0],
            [1, 5.0, 5.0, 5.5, 5.2],
            [0, 3.0, 3.0, 3.0, 3.0],
            [0, 90.0, 90.0, 99.0, 99.0],
        ],
        dtype=torch.float64,
    )
    return features, regions


@pytest.mark.parametrize("sampling", [0, 2])
@pytest.mark.parametrize("is_aligned", [True, False])
def test_features_are_those_of_the_slow_loop(sampling, is_aligned, monkeypatch):
    monkeypatch.setattr(roi_reference, "_STEP_ELEMENTS", 1)
    features, regions = inputs()
    found = roi_align(
        features, regions, output_size=(2, 3), spatial_scale=0.25, sampling=sampling, is_aligned=is_aligned
    )
    expected = slow_roi_align(
        features, regions, output_size=(2, 3), scale=0.25, sampling=sampling, is_aligned=is_aligned
    )
    torch.testing.assert_close(found, expected)


def test_the_gradient_is_the_derivative():
    features, regions = inputs()

    def pooled(leaf):
        return roi_align(leaf, regions, output_size=(2, 2), spatial_scale=0.25)

    assert torch.autograd.gradcheck(pooled, [features.requires_grad_()])


def test_the_dtype_stays_and_no_regions_give_no_features():
    features, regions = inputs()
    half = roi_align(features.to(torch.bfloat16), regions.float()[:0], output_size=(2, 2))
    assert half.dtype == torch.bfloat16 and half.shape == (0, 2, 2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features_NCHW": torch.zeros(2, 6, 7)}, r"float \(N, C, H, W\)"),
        ({"regions_R5": torch.zeros(3, 4)}, r"float \(R, 5\)"),
        ({"regions_R5": torch.tensor([[2.0, 0.0, 0.0, 1.0, 1.0]])}, "image indices must be 0..1"),
        ({"output_size": (0, 2)}, "output_size must be >= 1"),
        ({"spatial_scale": 0.0}, "spatial_scale > 0"),
        ({"sampling": -1}, "sampling >= 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    features, regions = inputs()
    given = {"features_NCHW": features, "regions_R5": regions, "output_size": (2, 2)}
    with pytest.raises(ValueError, match=message):
        roi_align(**{**given, **change})
