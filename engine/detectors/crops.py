"""Crops for the tagger: each box tight and in its context, with its place in the image. Imports torch."""

import torch
from torch import Tensor, nn

from pancap.engine.detectors.network import CROP_PX

TIGHT_SCALE = 1.15
CONTEXT_SCALE = 2.2
NUM_HALVINGS = 2


def crop_boxes(image_3HW: Tensor, boxes_px_N4: Tensor) -> Tensor:
    """Cuts every box out of one image, squashed to a square.

    Args:
        image_3HW: normalized image; what lies outside reads as 0.
        boxes_px_N4: corners in pixels of that image.

    Returns:
        (N, 6, CROP_PX, CROP_PX): the box with a small border, then the box with its surroundings.
    """
    pyramid = [image_3HW[None]]
    for _ in range(NUM_HALVINGS):
        pyramid.append(nn.functional.avg_pool2d(pyramid[-1], 2))
    views = [_cut(pyramid, boxes_px_N4, scale=scale) for scale in (TIGHT_SCALE, CONTEXT_SCALE)]
    return torch.cat(views, dim=1)


def place_features(boxes_px_N4: Tensor, *, width_px: int, height_px: int) -> Tensor:
    """Where and how large each box is, in fractions of the picture: (N, NUM_PLACE_FEATURES)."""
    box_N4 = boxes_px_N4 / torch.tensor([width_px, height_px, width_px, height_px], dtype=torch.float32)
    size_N2 = (box_N4[:, 2:] - box_N4[:, :2]).clamp(min=1e-3)
    aspect_N1 = torch.log(size_N2[:, :1] / size_N2[:, 1:])
    return torch.cat([box_N4, size_N2, aspect_N1, size_N2.prod(dim=1, keepdim=True).sqrt()], dim=1)


def _cut(pyramid: list[Tensor], boxes_px_N4: Tensor, *, scale: float) -> Tensor:
    """Bilinear samples of the scaled boxes, each from the pyramid level that fits its size (no aliasing)."""
    height, width = pyramid[0].shape[-2:]
    middle_N2 = (boxes_px_N4[:, :2] + boxes_px_N4[:, 2:]) / 2
    half_N2 = (boxes_px_N4[:, 2:] - boxes_px_N4[:, :2]) / 2 * scale
    steps = (torch.arange(CROP_PX) + 0.5) / CROP_PX * 2 - 1
    extent = torch.tensor([width, height], dtype=torch.float32)
    grid_N2S = (middle_N2[:, :, None] + half_N2[:, :, None] * steps) / extent[:, None] * 2 - 1
    level_N = (2 * half_N2.amax(dim=1) / CROP_PX).clamp(min=1).log2().round().clamp(max=len(pyramid) - 1).long()
    crops = boxes_px_N4.new_zeros(len(boxes_px_N4), 3, CROP_PX, CROP_PX)
    for level, image_13HW in enumerate(pyramid):
        chosen = torch.nonzero(level_N == level).flatten()
        if len(chosen) == 0:
            continue
        x = grid_N2S[chosen, 0][:, None, :].expand(-1, CROP_PX, -1)
        y = grid_N2S[chosen, 1][:, :, None].expand(-1, -1, CROP_PX)
        grid = torch.stack([x, y], dim=-1).reshape(1, len(chosen) * CROP_PX, CROP_PX, 2)
        cut = nn.functional.grid_sample(image_13HW, grid, align_corners=False)
        crops[chosen] = cut.view(3, len(chosen), CROP_PX, CROP_PX).transpose(0, 1)
    return crops
