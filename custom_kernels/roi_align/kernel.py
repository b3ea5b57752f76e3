"""RoIAlign forward and backward: one program a bin of a region and a block of channels.

The image is read channels-last, so that the values of one pixel are one contiguous load. The backward kernel walks
the same points and adds to the gradient with atomics: sums of a pixel shared by regions come in any order, and float32
gradients may differ in the last bits from run to run.

Legend: N images, C channels, R regions, P = output height or width.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

_MAX_BLOCK_C = 256


@triton.jit
def _axis_of(low, high, scale, shift, SIZE: tl.constexpr, SAMPLING: tl.constexpr, IS_ALIGNED: tl.constexpr):
    """(start, bin length, points a bin) of one axis of a region."""
    start = low * scale - shift
    length = high * scale - shift - start
    if not IS_ALIGNED:
        length = tl.maximum(length, 1.0)
    if SAMPLING > 0:
        points = tl.zeros((), dtype=tl.int32) + SAMPLING
    else:
        points = tl.maximum(tl.ceil(length / SIZE), 0.0).to(tl.int32)
    return start, length / SIZE, points


@triton.jit
def _neighbours(at, limit):
    """(low pixel, high pixel, share of the high one, whether the point counts)."""
    is_inside = (at >= -1.0) & (at <= limit)
    at = tl.minimum(tl.maximum(at, 0.0), limit - 1.0)
    low = tl.minimum(tl.floor(at).to(tl.int32), limit - 1)
    return low, tl.minimum(low + 1, limit - 1), at - low, is_inside


@triton.jit
def _roi_align_kernel(
    features_ptr,
    regions_ptr,
    output_ptr,
    channels,
    height,
    width,
    scale,
    shift,
    PH: tl.constexpr,
    PW: tl.constexpr,
    SAMPLING: tl.constexpr,
    IS_ALIGNED: tl.constexpr,
    IS_BACKWARD: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    region, cell = tl.program_id(0).to(tl.int64), tl.program_id(1)
    lanes = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    is_channel = lanes < channels
    box = regions_ptr + region * 5
    image = tl.load(box).to(tl.int64) * height * width
    left, bin_width, points_x = _axis_of(tl.load(box + 1), tl.load(box + 3), scale, shift, PW, SAMPLING, IS_ALIGNED)
    top, bin_height, points_y = _axis_of(tl.load(box + 2), tl.load(box + 4), scale, shift, PH, SAMPLING, IS_ALIGNED)
    count = tl.maximum(points_x * points_y, 1).to(tl.float32)
    target = output_ptr + (region * PH * PW + cell) * channels + lanes
    total = tl.zeros((BLOCK_C,), dtype=tl.float32)
    if IS_BACKWARD:
        total = tl.load(target, mask=is_channel, other=0.0).to(tl.float32) / count
    for point_y in range(points_y):
        y = top + (cell // PW + (point_y + 0.5) / points_y) * bin_height
        y_low, y_high, y_share, is_row = _neighbours(y, height)
        for point_x in range(points_x):
            x = left + (cell % PW + (point_x + 0.5) / points_x) * bin_width
            x_low, x_high, x_share, is_column = _neighbours(x, width)
            if is_row & is_column:
                low_row = features_ptr + (image + y_low * width) * channels + lanes
                high_row = features_ptr + (image + y_high * width) * channels + lanes
                weight_ll, weight_lh = (1.0 - y_share) * (1.0 - x_share), (1.0 - y_share) * x_share
                weight_hl, weight_hh = y_share * (1.0 - x_share), y_share * x_share
                if IS_BACKWARD:
                    tl.atomic_add(low_row + x_low * channels, total * weight_ll, mask=is_channel, sem="relaxed")
                    tl.atomic_add(low_row + x_high * channels, total * weight_lh, mask=is_channel, sem="relaxed")
                    tl.atomic_add(high_row + x_low * channels, total * weight_hl, mask=is_channel, sem="relaxed")
                    tl.atomic_add(high_row + x_high * channels, total * weight_hh, mask=is_channel, sem="relaxed")
                else:
                    pixel_ll = tl.load(low_row + x_low * channels, mask=is_channel, other=0.0).to(tl.float32)
                    pixel_lh = tl.load(low_row + x_high * channels, mask=is_channel, other=0.0).to(tl.float32)
                    pixel_hl = tl.load(high_row + x_low * channels, mask=is_channel, other=0.0).to(tl.float32)
                    pixel_hh = tl.load(high_row + x_high * channels, mask=is_channel, other=0.0).to(tl.float32)
                    total += pixel_ll * weight_ll + pixel_lh * weight_lh + pixel_hl * weight_hl + pixel_hh * weight_hh
    if not IS_BACKWARD:
        tl.store(target, (total / count).to(output_ptr.dtype.element_ty), mask=is_channel)


def launch_forward(
    features_NCHW: torch.Tensor,
    regions_R5: torch.Tensor,
    *,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
) -> torch.Tensor:
    """(R, C, PH, PW), channels last in memory."""
    features_NHWC = features_NCHW.permute(0, 2, 3, 1).contiguous()
    shape = (len(regions_R5), *output_size, features_NCHW.shape[1])
    output = torch.empty(shape, dtype=features_NCHW.dtype, device=features_NCHW.device)
    _launch(features_NHWC, regions_R5, output, spatial_scale, sampling, is_aligned, is_backward=False)
    return output.permute(0, 3, 1, 2)


def launch_backward(
    by_output: torch.Tensor,
    regions_R5: torch.Tensor,
    *,
    size: tuple[int, int, int, int],
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
) -> torch.Tensor:
    """Gradient of the features (N, C, H, W), summed in float32."""
    images, channels, height, width = size
    gradient = torch.zeros(images, height, width, channels, dtype=torch.float32, device=by_output.device)
    by_output = by_output.permute(0, 2, 3, 1).contiguous()
    _launch(gradient, regions_R5, by_output, spatial_scale, sampling, is_aligned, is_backward=True)
    return gradient.permute(0, 3, 1, 2)


def _launch(
    features_NHWC: torch.Tensor,
    regions_R5: torch.Tensor,
    output: torch.Tensor,
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
    *,
    is_backward: bool,
) -> None:
    num_regions, rows, columns, channels = output.shape
    if output.numel() == 0:
        return
    block = min(_MAX_BLOCK_C, triton.next_power_of_2(channels))
    _roi_align_kernel[(num_regions, rows * columns, triton.cdiv(channels, block))](
        features_NHWC,
        regions_R5,
        output,
        channels,
        features_NHWC.shape[1],
        features_NHWC.shape[2],
        spatial_scale,
        0.5 if is_aligned else 0.0,
        PH=rows,
        PW=columns,
        SAMPLING=max(sampling, 0),
        IS_ALIGNED=is_aligned,
        IS_BACKWARD=is_backward,
        BLOCK_C=block,
        num_warps=max(1, min(4, block // 64)),
    )
