"""Images are decoded once, each into its row; what cannot be read is a row without an image, not the end."""

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pancap.caption.images import load_image
from pancap.chain.data.datasets import read_training_images
from pancap.chain.images import to_square
from pancap.chain.training import pixels
from pancap.chain.training.pixels import cache_pixels, open_pixels
from pancap.chain.training.ray_squares import write_batch
from pancap.chain.training.squares import SquareWriter, Written
from pancap.configs import UsageError


@pytest.fixture
def images(tmp_path, squares_parquet):
    """The dataset, with one image gone and a web page in another's place."""
    page = tmp_path / "page.png"
    page.write_text("<html>")
    rows = read_training_images(squares_parquet)
    paths = {1: tmp_path / "gone.png", 4: page}
    return [replace(row, path=paths.get(index, row.path)) for index, row in enumerate(rows)]


def test_every_row_holds_its_square_and_the_others_say_why(images, tmp_path):
    seen = []
    path = cache_pixels(
        images, image_px=32, folder=tmp_path, on_progress=lambda what, done, total: seen.append((what, done, total))
    )
    found, refused = open_pixels(path)
    assert refused == {1, 4} and found.shape == (len(images), 32, 32, 3)
    for row, image in enumerate(images):
        if row not in refused:
            assert np.array_equal(found[row], to_square(load_image(image.path.read_bytes()).rgb, image_px=32))
    gaps = json.loads(path.with_suffix(".json").read_text())
    assert "gone.png" in gaps["missing"]["1"] and "<html>" in gaps["refused"]["4"]
    assert [len(reasons) for reasons in gaps.values()] == [1, 1]
    assert seen == [("decoding images", len(images), len(images))]


def test_blocks_of_rows_in_any_order_fill_the_same_map(images, tmp_path):
    """What Ray's tasks do, one after another."""
    whole = cache_pixels(images, image_px=32, folder=tmp_path / "whole")
    target = tmp_path / "parts.npy"
    np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(images), 32, 32, 3))
    writer = SquareWriter(
        file=target, offset=target.stat().st_size - len(images) * 32 * 32 * 3, image_px=32, resample="bilinear"
    )
    gaps = {"refused": {}, "missing": {}}
    for rows in (range(5, len(images)), range(5), range(3, 7)):
        block = pa.table({"row": list(rows), "path": [str(images[row].path) for row in rows]})
        for fields in write_batch(block, writer=writer).to_pylist():
            for kind, reasons in gaps.items():
                reasons |= {str(fields["row"]): fields[kind]} if fields[kind] else {}
    assert target.read_bytes() == whole.read_bytes()
    assert gaps == json.loads(whole.with_suffix(".json").read_text())


def test_the_same_images_are_not_decoded_again(images, tmp_path, monkeypatch):
    there = [image for image in images if image.path.exists()]
    path = cache_pixels(there, image_px=32, folder=tmp_path)
    monkeypatch.setattr(pixels, "_write_in_threads", None)
    assert cache_pixels(there, image_px=32, folder=tmp_path) == path


def test_an_image_that_was_away_for_a_while_is_there_in_the_next_run(images, tmp_path, caplog):
    """It was refused for good: a share that was not mounted in one run was missing from every later one."""
    settings = {"image_px": 32, "folder": tmp_path / "map"}
    with caplog.at_level(logging.WARNING):
        path = cache_pixels(images, **settings)
    assert "1 of 12 images cannot be read now" in caplog.text and "gone.png" in caplog.text
    shutil.copy(images[0].path, images[1].path)
    seen = []
    assert cache_pixels(images, **settings, on_progress=lambda *progress: seen.append(progress)) == path
    found, refused = open_pixels(path)
    assert np.array_equal(found[1], found[0]) and found[1].any()
    assert refused == {4} and seen == [("decoding images", 1, 1)]


def test_a_file_that_cannot_be_opened_is_missing_and_one_that_is_no_image_refused(images, tmp_path):
    writer = SquareWriter(file=tmp_path / "map.npy", offset=0, image_px=32, resample="bilinear")
    assert writer.write(3, tmp_path) == Written(row=3, missing=f"[Errno 21] Is a directory: '{tmp_path}'")
    assert writer.write(4, images[4].path).missing == ""


def test_a_map_that_was_not_finished_leaves_nothing(images, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    gone = [replace(image, path=tmp_path / "gone.png") for image in images]
    with pytest.raises(UsageError, match="none of the 12 images can be read"):
        cache_pixels(gone, image_px=32, folder=folder)

    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(pixels, "_write_in_threads", stop)
    with pytest.raises(KeyboardInterrupt):
        cache_pixels(images, image_px=32, folder=folder)
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_was_writing_is_removed(images, tmp_path, monkeypatch):
    """A killed driver left its map behind, at its full size, and nobody ever took it away."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    kept = [pixels._aside(tmp_path / "pixels_mine.npy"), tmp_path / f"pixels_theirs.another.host.{gone.pid}.npy"]
    with monkeypatch.context() as of_the_killed:
        of_the_killed.setattr(pixels.os, "getpid", lambda: gone.pid)
        left = [pixels._aside(tmp_path / name) for name in ("pixels_a.npy", "pixels_a.json")]
    for file in (*kept, *left):
        file.write_bytes(b"rows")
    cache_pixels(images, image_px=32, folder=tmp_path)
    assert [file.exists() for file in (*kept, *left)] == [True, True, False, False]
