"""R21: every kind of image file gives the right picture or a refusal with its reason."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pancap.caption.images import ImageRefusedError, load_image, read_size

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def quarters():
    """40 x 20: red and green above, blue and white below."""
    rgb = np.zeros((20, 40, 3), np.uint8)
    rgb[:10, :20], rgb[:10, 20:], rgb[10:, :20], rgb[10:, 20:] = RED, GREEN, BLUE, WHITE
    return rgb


def near(pixel, color, tolerance=12):
    return np.abs(np.asarray(pixel, int) - color).max() <= tolerance


def reason_of(data, **caps):
    with pytest.raises(ImageRefusedError) as caught:
        load_image(data, **caps)
    assert str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_common_formats_give_their_colours(format):
    loaded = load_image(encode(Image.fromarray(quarters()), format))
    assert (loaded.width, loaded.height, loaded.format) == (40, 20, format)
    assert loaded.rgb.dtype == np.uint8 and loaded.rgb.flags.c_contiguous
    assert near(loaded.rgb[4, 8], RED, 40) and near(loaded.rgb[15, 35], WHITE, 40)


# How the stored picture must be turned to stand upright, in numpy terms.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_exactly_once(format, orientation):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](quarters())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if format == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x0112] = orientation
        data = encode(stored, format, tiffinfo=tags)
    else:
        data = encode(stored, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    rgb = load_image(data).rgb
    assert rgb.shape == (20, 40, 3)
    assert read_size(data) == (40, 20)
    for y, x, color in [(4, 8, RED), (4, 32, GREEN), (15, 8, BLUE), (15, 32, WHITE)]:
        assert near(rgb[y, x], color, 40)


def test_damaged_exif_is_ignored():
    data = encode(Image.fromarray(quarters()), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage")
    assert np.array_equal(load_image(data).rgb, quarters())
    assert read_size(data) == (40, 20)


def test_sixteen_bit_gray_is_scaled_not_cut():
    values = np.array([[0, 257 * 128, 65535]], np.uint16)
    rgb = load_image(encode(Image.fromarray(values), "PNG")).rgb
    assert rgb[0, :, 0].tolist() == [0, 128, 255]
    assert load_image(encode(Image.fromarray(values), "TIFF")).rgb[0, :, 1].tolist() == [0, 128, 255]


def test_float_gray_of_0_to_1_is_scaled_and_other_ranges_are_refused():
    def tiff(*values):
        return encode(Image.fromarray(np.array([values], np.float32)), "TIFF")

    assert load_image(tiff(0.0, 1.0)).rgb[0, :, 0].tolist() == [0, 255]
    assert reason_of(tiff(0.0, 900.0)) == "unsupported_depth"
    assert reason_of(tiff(np.nan)) == "unsupported_depth"


def test_transparency_is_laid_on_white():
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[0] = (0, 0, 0, 255)
    rgba[1] = (255, 0, 0, 128)
    rgb = load_image(encode(Image.fromarray(rgba), "PNG")).rgb
    assert near(rgb[0, 0], (0, 0, 0)) and near(rgb[1, 0], (255, 127, 127), 2)
    gray = np.dstack([np.zeros((1, 2), np.uint8), np.array([[0, 255]], np.uint8)])
    assert load_image(encode(Image.fromarray(gray, "LA"), "PNG")).rgb[0, :, 0].tolist() == [255, 0]


def test_palettes_give_their_colours_and_their_transparent_entry_is_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([200, 10, 20, 0, 0, 0])
    picture.putpixel((1, 0), 1)
    assert load_image(encode(picture, "PNG")).rgb.tolist() == [[[200, 10, 20], [0, 0, 0]]]
    assert load_image(encode(picture, "PNG", transparency=1)).rgb.tolist() == [[[200, 10, 20], [255, 255, 255]]]


def test_a_transparent_colour_of_an_rgb_picture_is_white():
    data = encode(Image.fromarray(quarters()), "PNG", transparency=RED)
    assert near(load_image(data).rgb[2, 2], WHITE, 0)


def test_cmyk_and_one_bit_pictures_come_out_as_rgb():
    cmyk = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert near(load_image(cmyk).rgb[8, 8], RED, 20)
    assert load_image(encode(Image.new("1", (3, 2), 1), "PNG")).rgb.min() == 255


def test_icc_profiles_are_ignored_even_when_they_are_nonsense():
    data = encode(Image.fromarray(quarters()), "PNG", icc_profile=b"no profile at all")
    assert np.array_equal(load_image(data).rgb, quarters())


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE)]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    assert near(load_image(data).rgb[4, 4], RED, 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_pictures_one_pixel_wide_are_taken(size):
    assert load_image(encode(Image.new("RGB", size, RED), "PNG")).rgb.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"\x00" * 100, "not_an_image"),
        (b"\xff\xd8\xff\xe0", "not_an_image"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "broken"),
    ],
)
def test_what_is_no_image_is_refused(data, reason):
    assert reason_of(data) == reason
    with pytest.raises(ImageRefusedError) as caught:
        read_size(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_refused(format, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), format)
    assert reason_of(data[: int(len(data) * share)]) in {"broken", "not_an_image"}


def png_promising(width, height):
    """A PNG of a few bytes whose header names a huge picture."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def webp_promising(width, height):
    body = (
        b"VP8X"
        + struct.pack("<I", 10)
        + b"\0\0\0\0"
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


@pytest.mark.parametrize("bomb", [png_promising, webp_promising])
@pytest.mark.parametrize("side_px", [8_000, 16_000])
def test_a_bomb_is_refused_by_its_header(bomb, side_px):
    assert reason_of(bomb(side_px, side_px)) == "too_many_pixels"


def test_an_endless_strip_is_refused():
    assert reason_of(png_promising(1_000_000, 1)) == "too_many_pixels"


def test_caps_are_the_callers_to_set():
    data = encode(Image.fromarray(quarters()), "PNG")
    assert reason_of(data, max_bytes=10) == "too_many_bytes"
    assert reason_of(data, max_pixels=799) == "too_many_pixels"
    assert load_image(data, max_pixels=800).width == 40


def test_random_damage_never_does_anything_but_refuse_or_load():
    rng = np.random.default_rng(3)
    outcomes = set()
    for format in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        clean = np.frombuffer(encode(Image.fromarray(quarters()), format), np.uint8)
        for _ in range(40):
            damaged = clean.copy()
            places = rng.integers(0, len(damaged), 6)
            damaged[places] = rng.integers(0, 256, 6)
            try:
                outcomes.add(load_image(damaged.tobytes()).rgb.shape[2])
            except ImageRefusedError as error:
                outcomes.add(error.reason)
    assert 3 in outcomes and "broken" in outcomes


def test_bombs_are_refused_within_a_small_memory_limit():
    program = (
        "import resource, sys\n"
        "import numpy, PIL.PngImagePlugin, PIL.WebPImagePlugin\n"
        "from pancap.caption.images import ImageRefusedError, load_image\n"
        "grown = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + 100 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (grown, grown))\n"
        "for data in (bytes.fromhex(line) for line in sys.stdin.read().split()):\n"
        "    try:\n"
        "        load_image(data)\n"
        "    except ImageRefusedError as error:\n"
        "        print(error.reason)\n"
    )
    bombs = [png_promising(60_000, 60_000), png_promising(9_000, 9_000), webp_promising(16_000, 16_000)]
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(b.hex() for b in bombs),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["too_many_pixels"] * 3
