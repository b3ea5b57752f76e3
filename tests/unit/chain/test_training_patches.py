"""Whose a patch is: by the pixels where a dataset has masks, by boxes where it has none."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import Instance
from pancap.chain.data.datasets import read_training_images
from pancap.chain.training.patches import PatchClasses, patch_targets
from pancap.chain.tuples import TrainingImage
from pancap.engine.scenes.rows import draw_rows

CLASSES = PatchClasses(tags=("wall", "door", "knob", "<other>"), attributes=(), globals=())


def picture(mask, *, boxes):
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    height, width = mask.shape
    return TrainingImage(
        image_id="x",
        path=Path("x.png"),
        width=width,
        height=height,
        instances=tuple(Instance(tag=tag, box=box) for tag, box in zip(CLASSES.tags, boxes, strict=False)),
        caption="",
        mask=buffer.getvalue(),
        mask_values=tuple(range(1, len(boxes) + 1)),
    )


def test_pixels_decide_and_a_small_thing_that_fills_a_quarter_wins():
    mask = np.ones((64, 64), np.uint8)
    mask[:, 32:] = 2  # the right half is door
    mask[0:12, 48:60] = 3  # a knob in a corner patch: 144 of 256 pixels
    mask[16:22, 48:54] = 3  # and 36 of 256 in the one below: too few
    mask[48:, :16] = 0
    full = Box(0.0, 0.0, 1.0, 1.0)
    image = picture(mask, boxes=[full, full, Box(0.7, 0.0, 0.95, 0.35)])
    targets = patch_targets(image, classes=CLASSES, grid=4)
    assert targets.tags_P.reshape(4, 4).tolist() == [[0, 0, 1, 2], [0, 0, 1, 1], [0, 0, 1, 1], [-1, 0, 1, 1]]
    assert targets.weights_P.reshape(4, 4)[3, 0] == 0
    assert targets.weights_P.reshape(4, 4)[0, 3] == pytest.approx(1.0)
    assert targets.boxes_P4.reshape(4, 4, 4)[0, 3] == pytest.approx([0.7, 0.0, 0.95, 0.35], abs=2e-3)


def test_the_borders_that_pad_a_picture_to_a_square_show_nothing():
    image = picture(np.ones((32, 64), np.uint8), boxes=[Box(0.0, 0.0, 1.0, 1.0)])
    shown = patch_targets(image, classes=CLASSES, grid=4).tags_P.reshape(4, 4)
    assert shown.tolist() == [[-1] * 4, [0] * 4, [0] * 4, [-1] * 4]


def test_without_a_mask_the_smallest_box_at_the_centre_decides():
    image = picture(np.ones((64, 64), np.uint8), boxes=[Box(0.0, 0.0, 1.0, 1.0), Box(0.5, 0.0, 1.0, 0.5)])
    shown = patch_targets(replace(image, mask=None), classes=CLASSES, grid=2).tags_P
    assert shown.tolist() == [0, 1, 0, 0]


def test_scenes_bring_masks_that_fit_their_boxes(tmp_path):
    (tmp_path / "images").mkdir()
    pq.write_table(draw_rows([0, 1], root=tmp_path, seed=3, size_px=128, split="train"), tmp_path / "scenes.parquet")
    for image in read_training_images(tmp_path / "scenes.parquet"):
        mask = np.array(Image.open(io.BytesIO(image.mask)))
        assert mask.shape == (128, 128)
        for item, value in zip(image.instances, image.mask_values, strict=True):
            rows, columns = np.nonzero(mask == value)
            corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.array(corners) / 128 == pytest.approx(item.box.as_tuple(), abs=0.012), item.tag
