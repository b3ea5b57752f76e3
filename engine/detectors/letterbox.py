"""Images as the embedded networks see them: long side at a fixed size, top left, the rest grey."""

from dataclasses import dataclass

import numpy as np

from pancap.caption.boxes import Box

INPUT_PX = 256
GREY = 114
MIN_SIDE_PX = 1.0


@dataclass(frozen=True, kw_only=True)
class LetterboxedImage:
    """One image in the frame of the networks.

    Args:
        rgb: (256, 256, 3) uint8.
        width_px, height_px: extent of the picture in it, from the top-left corner.
    """

    rgb: np.ndarray
    width_px: int
    height_px: int

    def to_px(self, box: Box) -> tuple[float, float, float, float]:
        """A box in pixels of this frame."""
        return box.to_px(width=self.width_px, height=self.height_px)

    def from_px(self, box_px: np.ndarray) -> Box | None:
        """A box of this frame in fractions of the original, clamped; None where too little is left."""
        x1, y1 = (max(float(value), 0.0) for value in box_px[:2])
        x2, y2 = min(float(box_px[2]), self.width_px), min(float(box_px[3]), self.height_px)
        if x2 - x1 < MIN_SIDE_PX or y2 - y1 < MIN_SIDE_PX:
            return None
        return Box.from_px((x1, y1, x2, y2), width=self.width_px, height=self.height_px)


def letterbox(rgb: np.ndarray) -> LetterboxedImage:
    """Scales the long side to 256 pixels and pads right or below.

    Args:
        rgb: (H, W, 3) uint8 of any size from 1 x 1.

    Raises:
        ValueError: the array is not an RGB image.
    """
    from PIL import Image

    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise ValueError(f"expected an RGB image (H, W, 3) of uint8, got {rgb.shape} of {rgb.dtype}")
    height, width = rgb.shape[:2]
    scale = INPUT_PX / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    if (new_width, new_height) != (width, height):
        rgb = np.asarray(Image.fromarray(rgb).resize((new_width, new_height), Image.Resampling.BILINEAR))
    padded = np.full((INPUT_PX, INPUT_PX, 3), GREY, dtype=np.uint8)
    padded[:new_height, :new_width] = rgb
    return LetterboxedImage(rgb=padded, width_px=new_width, height_px=new_height)
