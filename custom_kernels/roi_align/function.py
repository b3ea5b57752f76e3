"""The public op: checks, choice of backend, and the registration with torch.library."""

from typing import Any

import torch

from pancap.custom_kernels.backend import Backend, choose_backend
from pancap.custom_kernels.roi_align.reference import roi_align_reference

_KERNEL_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def roi_align(
    features_NCHW: torch.Tensor,
    regions_R5: torch.Tensor,
    *,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling: int = 0,
    is_aligned: bool = True,
    backend: Backend = "auto",
) -> torch.Tensor:
    """Averages bilinear samples of each region on a grid of bins; the gradient goes to the features alone.

    Args:
        features_NCHW: feature maps, float dtype.
        regions_R5: (image index, x1, y1, x2, y2) in pixels of the image that the features were made of, float32.
        output_size: (rows, columns) of bins.
        spatial_scale: feature pixels per image pixel.
        sampling: points a bin and axis; 0 takes ceil(region / output_size), the adaptive rule.
        is_aligned: half-pixel shift, and regions thinner than a pixel stay so (Detectron2's `aligned=True`).
        backend: see `choose_backend`.

    Returns:
        (R, C, *output_size) in the features' dtype. A point a pixel or more outside counts as 0.

    Raises:
        ValueError: shapes or dtypes do not fit, or (checked on the CPU only) an image index is out of range.

    Source: He et al., Mask R-CNN, ICCV 2017.
    """
    _check_inputs(features_NCHW, regions_R5, output_size=output_size, spatial_scale=spatial_scale, sampling=sampling)
    if choose_backend("roi_align", features_NCHW, backend=backend) == "torch":
        return roi_align_reference(
            features_NCHW,
            regions_R5.detach(),
            output_size=output_size,
            spatial_scale=spatial_scale,
            sampling=sampling,
            is_aligned=is_aligned,
        )
    if features_NCHW.dtype not in _KERNEL_DTYPES:
        raise ValueError(
            f"roi_align on Triton takes float32, bfloat16 or float16, got {features_NCHW.dtype}; use backend='torch'"
        )
    found: torch.Tensor = _roi_align_op(
        features_NCHW,
        regions_R5.detach().to(torch.float32).contiguous(),
        list(output_size),
        float(spatial_scale),
        sampling,
        is_aligned,
    )
    return found


@torch.library.custom_op("pancap::roi_align", mutates_args=())
def _roi_align_op(
    features: torch.Tensor,
    regions: torch.Tensor,
    output_size: list[int],
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
) -> torch.Tensor:
    from pancap.custom_kernels.roi_align.kernel import launch_forward

    return launch_forward(
        features,
        regions,
        output_size=(output_size[0], output_size[1]),
        spatial_scale=spatial_scale,
        sampling=sampling,
        is_aligned=is_aligned,
    )


@_roi_align_op.register_fake
def _roi_align_fake(features: torch.Tensor, regions: torch.Tensor, output_size: list[int], *_: Any) -> torch.Tensor:
    return features.new_empty(len(regions), *output_size, features.shape[1]).permute(0, 3, 1, 2)


@torch.library.custom_op("pancap::roi_align_backward", mutates_args=())
def _roi_align_backward_op(
    by_output: torch.Tensor,
    regions: torch.Tensor,
    size: list[int],
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
) -> torch.Tensor:
    from pancap.custom_kernels.roi_align.kernel import launch_backward

    return launch_backward(
        by_output,
        regions,
        size=(size[0], size[1], size[2], size[3]),
        spatial_scale=spatial_scale,
        sampling=sampling,
        is_aligned=is_aligned,
    )


@_roi_align_backward_op.register_fake
def _roi_align_backward_fake(by_output: torch.Tensor, regions: Any, size: list[int], *_: Any) -> torch.Tensor:
    images, channels, height, width = size
    return by_output.new_empty(images, height, width, channels, dtype=torch.float32).permute(0, 3, 1, 2)


def _keep_regions(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    features, regions, _, *ctx.rest = inputs
    ctx.size, ctx.dtype = list(features.shape), features.dtype
    ctx.save_for_backward(regions)


def _spread_gradient(ctx: Any, by_output: torch.Tensor) -> tuple[Any, ...]:
    (regions,) = ctx.saved_tensors
    gradient = _roi_align_backward_op(by_output, regions, ctx.size, *ctx.rest)
    return gradient.to(ctx.dtype), None, None, None, None, None


_roi_align_op.register_autograd(_spread_gradient, setup_context=_keep_regions)


def _check_inputs(
    features_NCHW: torch.Tensor,
    regions_R5: torch.Tensor,
    *,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling: int,
) -> None:
    if features_NCHW.ndim != 4 or not features_NCHW.is_floating_point():
        raise ValueError(
            f"roi_align: features must be float (N, C, H, W), got {features_NCHW.dtype} {tuple(features_NCHW.shape)}"
        )
    if regions_R5.ndim != 2 or regions_R5.shape[1] != 5 or not regions_R5.is_floating_point():
        raise ValueError(f"roi_align: regions must be float (R, 5), got {regions_R5.dtype} {tuple(regions_R5.shape)}")
    if min(output_size) < 1 or not spatial_scale > 0 or sampling < 0:
        raise ValueError(
            "roi_align: output_size must be >= 1, spatial_scale > 0 and sampling >= 0, "
            f"got {output_size}, {spatial_scale}, {sampling}"
        )
    images_R = regions_R5[:, 0]
    # On a GPU the check would wait for the device.
    if images_R.device.type == "cpu" and bool(((images_R < 0) | (images_R >= len(features_NCHW))).any()):
        raise ValueError(f"roi_align: image indices must be 0..{len(features_NCHW) - 1}")
