"""Images are decoded once, each into its row; what cannot be read is a row without an image, not the end."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pancap.caption.images import load_image
from pancap.chain.datasets import read_training_images
from pancap.chain.images import to_square
from pancap.chain.training import pixels
from pancap.chain.training.pixels import cache_pixels, open_pixels
from pancap.chain.training.ray_squares import write_batch
from pancap.chain.training.squares import SquareWriter
from pancap.configs import UsageError


@pytest.fixture
def images(tmp_path, squares_parquet):
    """The dataset, with one image gone and a web page in another's place."""
    page = tmp_path / "page.png"
    page.write_text("<html>")
    rows = read_training_images(squares_parquet)
    paths = {1: tmp_path / "gone.png", 4: page}
    return [replace(row, path=paths.get(index, row.path)) for index, row in enumerate(rows)]


def test_every_row_holds_its_square_and_refused_rows_say_why(images, tmp_path):
    seen = []
    path = cache_pixels(
        images, image_px=32, folder=tmp_path, on_progress=lambda what, done, total: seen.append((what, done, total))
    )
    found, refused = open_pixels(path)
    assert refused == {1, 4} and found.shape == (len(images), 32, 32, 3)
    for row, image in enumerate(images):
        if row not in refused:
            assert np.array_equal(found[row], to_square(load_image(image.path.read_bytes()).rgb, image_px=32))
    reasons = json.loads(path.with_suffix(".json").read_text())["refused"]
    assert "gone.png" in reasons["1"] and "<html>" in reasons["4"]
    assert seen == [("decoding images", len(images), len(images))]


def test_blocks_of_rows_in_any_order_fill_the_same_map(images, tmp_path):
    """What Ray's tasks do, one after another."""
    whole = cache_pixels(images, image_px=32, folder=tmp_path / "whole")
    target = tmp_path / "parts.npy"
    np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(images), 32, 32, 3))
    writer = SquareWriter(
        file=target, offset=target.stat().st_size - len(images) * 32 * 32 * 3, image_px=32, resample="bilinear"
    )
    refused = {}
    for rows in (range(5, len(images)), range(5), range(3, 7)):
        block = pa.table({"row": list(rows), "path": [str(images[row].path) for row in rows]})
        written = write_batch(block, writer=writer)
        refused |= {str(row): reason for row, reason in zip(*written.to_pydict().values(), strict=True) if reason}
    assert target.read_bytes() == whole.read_bytes()
    assert refused == json.loads(whole.with_suffix(".json").read_text())["refused"]


def test_the_same_images_are_not_decoded_again(images, tmp_path, monkeypatch):
    path = cache_pixels(images, image_px=32, folder=tmp_path)
    monkeypatch.setattr(pixels, "_write_all", None)
    assert cache_pixels(images, image_px=32, folder=tmp_path) == path


def test_a_map_that_was_not_finished_leaves_nothing(images, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    gone = [replace(image, path=tmp_path / "gone.png") for image in images]
    with pytest.raises(UsageError, match="none of the 12 images can be read"):
        cache_pixels(gone, image_px=32, folder=folder)

    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(pixels, "_write_all", stop)
    with pytest.raises(KeyboardInterrupt):
        cache_pixels(images, image_px=32, folder=folder)
    assert list(folder.iterdir()) == []
