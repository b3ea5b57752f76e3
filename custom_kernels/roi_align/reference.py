"""RoIAlign in plain PyTorch: the definition of correct, and what runs without a GPU.

Source: He et al., Mask R-CNN, ICCV 2017; bins are sampled at ceil(region / output) points an axis where no number is
given, and `aligned` moves by half a pixel (Detectron2), so that pixel centres, not corners, have whole coordinates.

Legend: N images, C channels, R regions, P = output height or width, G sampling points a bin and axis, S = P G.
"""

import torch

# Sampled values held at once, in elements.
_STEP_ELEMENTS = 1 << 22


def roi_align_reference(
    features_NCHW: torch.Tensor,
    regions_R5: torch.Tensor,
    *,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling: int,
    is_aligned: bool,
) -> torch.Tensor:
    """(R, C, PH, PW) in the features' dtype (at least float32 inside), differentiable after the features."""
    num_regions, channels = len(regions_R5), features_NCHW.shape[1]
    wide = torch.float64 if features_NCHW.dtype == torch.float64 else torch.float32
    height, width = features_NCHW.shape[2:]
    rows_XC = features_NCHW.to(wide).permute(0, 2, 3, 1).reshape(-1, channels)
    images_R = regions_R5[:, 0].long() * (height * width)
    top_R, tall_R, points_y_R = _axis(
        regions_R5[:, 2], regions_R5[:, 4], output_size[0], spatial_scale, sampling, is_aligned
    )
    left_R, wide_R, points_x_R = _axis(
        regions_R5[:, 1], regions_R5[:, 3], output_size[1], spatial_scale, sampling, is_aligned
    )
    found = rows_XC.new_zeros(num_regions, *output_size, channels)
    # Regions of one sampling grid are stacked: no point is computed that is not used.
    grids = torch.stack([points_y_R, points_x_R], dim=1)
    for points_y, points_x in grids.unique(dim=0).tolist():
        if points_y == 0 or points_x == 0:
            continue
        members = ((points_y_R == points_y) & (points_x_R == points_x)).nonzero().squeeze(1)
        size = output_size[0] * points_y * output_size[1] * points_x * channels
        for part in members.split(max(1, _STEP_ELEMENTS // size)):
            ys = _corners(top_R[part], tall_R[part], output_size[0], points_y, height)
            xs = _corners(left_R[part], wide_R[part], output_size[1], points_x, width)
            total: torch.Tensor | float = 0.0
            for at_y, weight_y in ys:
                for at_x, weight_x in xs:
                    where = images_R[part, None, None] + at_y[:, :, None] * width + at_x[:, None, :]
                    weight = weight_y[:, :, None] * weight_x[:, None, :]
                    total = total + rows_XC[where] * weight.to(wide).unsqueeze(-1)
            assert isinstance(total, torch.Tensor)
            bins = total.view(len(part), output_size[0], points_y, output_size[1], points_x, channels)
            found = found.index_add(0, part, bins.mean(dim=(2, 4)))
    return found.permute(0, 3, 1, 2).to(features_NCHW.dtype)


def _axis(
    low_R: torch.Tensor, high_R: torch.Tensor, size: int, scale: float, sampling: int, is_aligned: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One axis of the regions: (start, length in feature pixels, sampling points a bin)."""
    wide = torch.promote_types(low_R.dtype, torch.float32)
    shift = 0.5 if is_aligned else 0.0
    start_R = low_R.to(wide) * scale - shift
    length_R = high_R.to(wide) * scale - shift - start_R
    if not is_aligned:
        length_R = length_R.clamp_min(1.0)
    points_R = torch.ceil(length_R / size) if sampling <= 0 else torch.full_like(length_R, sampling)
    return start_R, length_R, points_R.clamp_min(0).long()


def _corners(
    start_R: torch.Tensor, length_R: torch.Tensor, size: int, points: int, limit: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """The two pixels (R, S) beside each sampling point of an axis and their weights; 0 a pixel or more outside."""
    steps_S = torch.arange(size * points, dtype=start_R.dtype, device=start_R.device)
    position_S = steps_S // points + (steps_S % points + 0.5) / points
    at_RS = start_R.unsqueeze(1) + position_S * (length_R / size).unsqueeze(1)
    is_inside_RS = (at_RS >= -1) & (at_RS <= limit)
    at_RS = at_RS.clamp(0, limit - 1)
    low_RS = at_RS.floor().clamp_max(limit - 1)
    high_RS = (low_RS + 1).clamp_max(limit - 1)
    share_RS = at_RS - low_RS
    return (low_RS.long(), (1 - share_RS) * is_inside_RS), (high_RS.long(), share_RS * is_inside_RS)
