"""The one way an image enters: bytes in, upright 8-bit RGB out, or a refusal with its reason."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

RefusalReason = Literal["empty", "too_many_bytes", "not_an_image", "too_many_pixels", "unsupported_depth", "broken"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000  # 150 MB of RGB; SA-1B's originals have about 12 million
MAX_SIDE_PX = 20_000  # a longer strip makes an unreasonable padded square
_DEEP_GRAY_MODES = {"I", "F"}
_SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}
_WEBP_HEADER_BYTES = 30
_ORIENTATION = 0x0112  # EXIF's tag
_LYING = {5, 6, 7, 8}
_EXIF_ERRORS = (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, struct.error, ZeroDivisionError)


class ImageRefusedError(ValueError):
    """An image that is not taken.

    Args:
        reason: short stable code, to count refusals by.
        message: one sentence: expected, got.
    """

    def __init__(self, reason: RefusalReason, message: str) -> None:
        """Keeps the reason apart from the sentence."""
        super().__init__(reason, message)
        self.reason: RefusalReason = reason
        self.message = message

    def __str__(self) -> str:
        """The sentence."""
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedImage:
    """An upright picture.

    Args:
        rgb: (height, width, 3) uint8.
        format: the file's format (`JPEG`, `PNG`, ...).
    """

    rgb: "np.ndarray"
    format: str

    @property
    def width(self) -> int:
        """Pixels across, after turning upright."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels down, after turning upright."""
        return int(self.rgb.shape[0])


def load_image(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Decodes an image file's bytes.

    The header is checked before anything is decoded. EXIF orientation is applied once, 16-bit gray is scaled to 8,
    transparency is laid on white, an animation gives its first frame, CMYK is converted without its ICC profile
    (profiles are ignored throughout).

    Args:
        data: the file's bytes.
        max_bytes: refuse longer files.
        max_pixels: refuse pictures with more pixels; decoding takes up to about 8 bytes a pixel.

    Raises:
        ImageRefusedError: with the reason, for anything that does not give a right picture.
    """
    import numpy as np

    image = _open_checked(data, max_bytes=max_bytes, max_pixels=max_pixels)
    image_format = str(image.format)
    rgb = np.ascontiguousarray(_decode(image))
    return LoadedImage(rgb=rgb, format=image_format)


def read_size(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(width, height) of the picture that `load_image` would give, in pixels, from the file's header.

    Args:
        data, max_bytes, max_pixels: as for `load_image`.

    Raises:
        ImageRefusedError: with the reason, for what is refused before decoding; some broken files pass.
    """
    image = _open_checked(data, max_bytes=max_bytes, max_pixels=max_pixels)
    return (image.height, image.width) if _lies_on_its_side(image) else (image.width, image.height)


def _open_checked(data: bytes, *, max_bytes: int, max_pixels: int) -> Any:
    """The header, once nothing in it speaks against decoding."""
    if not data:
        raise ImageRefusedError("empty", "expected an image file, got 0 bytes")
    if len(data) > max_bytes:
        raise ImageRefusedError("too_many_bytes", f"expected at most {max_bytes} bytes, got {len(data)}")
    _check_webp_canvas(data, max_pixels=max_pixels)
    image = _open(data)
    _check_size(image.width, image.height, max_pixels=max_pixels)
    return image


def _open(data: bytes) -> Any:
    """Reads the header only; formats that are not listed are not tried."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        start = data[:12].lstrip()
        raise ImageRefusedError(
            "not_an_image", f"expected {', '.join(FORMATS)}, got a file that starts {start!r}"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageRefusedError("too_many_pixels", f"the header promises too many pixels: {error}") from error
    except Exception as error:
        raise ImageRefusedError("broken", f"the header cannot be read: {_describe(error)}") from error


def _check_size(width: int, height: int, *, max_pixels: int) -> None:
    if width * height > max_pixels or max(width, height) > MAX_SIDE_PX:
        raise ImageRefusedError(
            "too_many_pixels",
            f"expected at most {max_pixels} pixels and {MAX_SIDE_PX} a side, got {width} x {height}",
        )


def _check_webp_canvas(data: bytes, *, max_pixels: int) -> None:
    """Pillow's WebP reader allocates the whole canvas on opening, so its size is read here first."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < _WEBP_HEADER_BYTES:
        return
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
    _check_size(width, height, max_pixels=max_pixels)


def _decode(image: Any) -> "np.ndarray":
    import numpy as np

    try:
        image.load()
        image = _turn_upright(image)
        if image.mode in _SIXTEEN_BIT_MODES or image.mode in _DEEP_GRAY_MODES:
            return _scale_gray(image)
        return np.asarray(_flatten(image))
    except ImageRefusedError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, EOFError, IndexError, ...
        raise ImageRefusedError("broken", f"the picture cannot be decoded: {_describe(error)}") from error


def _turn_upright(image: Any) -> Any:
    """Applies EXIF orientation; a picture whose EXIF cannot be read is taken as it lies."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except _EXIF_ERRORS:
        return image


def _lies_on_its_side(image: Any) -> bool:
    """Whether turning the picture upright will swap its sides; no, where EXIF cannot be read."""
    if image.format == "TIFF":  # Pillow swaps them itself, when it opens the file
        return False
    try:
        return image.getexif().get(_ORIENTATION) in _LYING  # decodes a PNG, whose EXIF may stand behind its pixels
    except _EXIF_ERRORS:
        return False
    except Exception as error:
        raise ImageRefusedError("broken", f"the header cannot be read: {_describe(error)}") from error


def _flatten(image: Any) -> Any:
    """RGB, transparency on white."""
    from PIL import Image

    has_alpha = image.mode in {"LA", "PA", "La", "RGBA", "RGBa"} or "transparency" in image.info
    if not has_alpha:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    canvas = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(canvas, rgba).convert("RGB")


def _scale_gray(image: Any) -> "np.ndarray":
    """8-bit RGB from gray of 16 bits, or of more when its values tell their range."""
    import numpy as np

    values = np.asarray(image)
    top = 1.0 if image.mode == "F" else 65535.0
    if values.size and not (values.min() >= 0 and values.max() <= top):
        raise ImageRefusedError(
            "unsupported_depth", f"expected gray of 0..{top:g}, got {values.min():g}..{values.max():g} ({image.mode})"
        )
    gray = np.round(values.astype(np.float32) * (255.0 / top)).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
