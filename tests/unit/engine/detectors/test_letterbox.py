"""The frame of the embedded networks."""

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.engine.detectors.letterbox import GREY, INPUT_PX, letterbox


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (100, 30), (1, 700), (1, 1), (256, 256)])
def test_boxes_survive_the_round_trip_for_every_shape(shape):
    boxed = letterbox(np.full((*shape, 3), 200, dtype=np.uint8))
    assert boxed.rgb.shape == (INPUT_PX, INPUT_PX, 3)
    assert max(boxed.width_px, boxed.height_px) == INPUT_PX
    box = Box(0.0, 0.0, 1.0, 1.0)
    assert boxed.from_px(np.array(boxed.to_px(box))) == box


def test_the_picture_is_top_left_and_the_rest_is_grey():
    boxed = letterbox(np.full((100, 200, 3), 250, dtype=np.uint8))
    assert (boxed.rgb[: boxed.height_px] == 250).all()
    assert boxed.height_px == INPUT_PX // 2
    assert (boxed.rgb[boxed.height_px :] == GREY).all()


def test_a_box_outside_the_picture_is_none():
    boxed = letterbox(np.zeros((100, 200, 3), dtype=np.uint8))
    assert boxed.from_px(np.array([10.0, 200.0, 50.0, 250.0])) is None


@pytest.mark.parametrize("array", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)])
def test_what_is_no_rgb_image_is_refused(array):
    with pytest.raises(ValueError, match="expected an RGB image"):
        letterbox(array)
