"""From an RGB image to the vision tower's input: one way for training, captioning and serving."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

Resample = Literal["bilinear", "bicubic"]

# PIL's numbers, which transformers writes too.
RESAMPLE_CODES: dict[Resample, int] = {"bilinear": 2, "bicubic": 3}
# CLIP's channel statistics; the mean is also the colour of the padding, as in LLaVA.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def to_square(rgb: np.ndarray, *, image_px: int, resample: Resample = "bilinear") -> np.ndarray:
    """Pads to a square with CLIP's mean colour and resizes (anti-aliased).

    Args:
        rgb: (H, W, 3) uint8.
        image_px: side of the result.
        resample: how it is resized: chains trained here take `bilinear`, CLIP and so LLaVA `bicubic`.

    Returns:
        (image_px, image_px, 3) uint8.

    Raises:
        ValueError: not an (H, W, 3) uint8 array, or an empty one.
    """
    from PIL import Image

    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise ValueError(f"an image must be (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}; decode it with load_image")
    height, width = rgb.shape[:2]
    side = max(height, width)
    if height != width:
        square = np.empty((side, side, 3), np.uint8)
        square[:] = [int(value * 255) for value in CLIP_MEAN]
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = rgb
        rgb = square
    if side == image_px:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((image_px, image_px), Image.Resampling[resample.upper()]))


def normalize(squares: np.ndarray) -> "torch.Tensor":
    """(N, S, S, 3) uint8 squares as (N, 3, S, S) float32 with CLIP's statistics."""
    import torch

    scaled = torch.from_numpy(np.ascontiguousarray(squares)).permute(0, 3, 1, 2).float().div_(255.0)
    mean = torch.tensor(CLIP_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD).view(1, 3, 1, 1)
    return scaled.sub_(mean).div_(std).contiguous()


def to_pixels(images: Sequence[np.ndarray], *, image_px: int, resample: Resample = "bilinear") -> "torch.Tensor":
    """RGB images of any size as the vision tower's input, (N, 3, image_px, image_px) float32."""
    return normalize(np.stack([to_square(image, image_px=image_px, resample=resample) for image in images]))


def preprocessor_config(image_px: int, *, resample: Resample = "bilinear") -> dict[str, object]:
    """The same steps in transformers' terms (preprocessor_config.json of a checkpoint)."""
    return {
        "image_processor_type": "LlavaImageProcessor",
        "do_pad": True,
        "do_resize": True,
        "size": {"shortest_edge": image_px},
        "resample": RESAMPLE_CODES[resample],
        "do_center_crop": True,
        "crop_size": {"height": image_px, "width": image_px},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(CLIP_MEAN),
        "image_std": list(CLIP_STD),
        "do_convert_rgb": True,
    }
