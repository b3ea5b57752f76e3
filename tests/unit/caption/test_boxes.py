import math

import pytest

from pancap.caption.boxes import Box, span_to_units


@pytest.mark.parametrize(
    "corners",
    [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1.1, 1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)],
)
def test_what_is_no_box_is_refused(corners):
    with pytest.raises(ValueError, match="a box needs"):
        Box(*corners)


def test_iou_of_half_overlapping_boxes_is_a_third():
    assert Box(0, 0, 0.5, 1).iou(Box(0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)


def test_boxes_apart_share_nothing():
    assert Box(0, 0, 0.2, 0.2).iou(Box(0.3, 0.3, 0.5, 0.5)) == 0.0


def test_pixels_outside_the_image_are_cut_off():
    assert Box.from_px((-10, 20, 50, 400), width=100, height=200) == Box(0.0, 0.1, 0.5, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "units"),
    [(4.4, 454.5, (4, 455)), (7.1, 7.3, (7, 8)), (6.6, 6.9, (6, 7)), (0.0, 0.2, (0, 1)), (999.6, 1000.0, (999, 1000))],
)
def test_a_span_stays_a_span_when_rounded(low, high, units):
    assert span_to_units(low, high) == units


def test_three_decimal_fractions_survive_units_exactly():
    box = Box(0.004, 0.322, 0.454, 0.927)
    assert box.to_units() == (4, 322, 454, 927)
    assert Box.from_units(box.to_units()) == box
