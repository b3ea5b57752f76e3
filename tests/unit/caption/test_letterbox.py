import pytest

from pancap.caption.boxes import Box
from pancap.caption.letterbox import from_letterbox, to_letterbox

# Worked out by hand. 640 x 480: pad (640 - 480) // 2 = 80 above; 0.322 * 480 + 80 = 234.56 px = 366.5 units.
# 481 x 640: pad 159 // 2 = 79 on the left (80 on the right).
REFERENCE = [
    ((640, 640), Box(0.004, 0.322, 0.454, 0.927), (4, 322, 454, 927)),
    ((640, 480), Box(0.004, 0.322, 0.454, 0.927), (4, 367, 454, 820)),
    ((640, 480), Box(0.0, 0.0, 1.0, 1.0), (0, 125, 1000, 875)),
    ((481, 640), Box(0.0, 0.0, 1.0, 1.0), (123, 0, 875, 1000)),
    ((1500, 2250), Box(0.5, 0.25, 0.75, 0.5), (500, 250, 667, 500)),
]


@pytest.mark.parametrize(("size", "box", "units"), REFERENCE)
def test_units_of_the_padded_square_are_as_worked_out_by_hand(size, box, units):
    assert to_letterbox(box, width=size[0], height=size[1]) == units


def test_fractions_come_back_to_the_published_three_decimals():
    box = from_letterbox((4, 367, 454, 820), width=640, height=480)
    assert [f"{value:.3f}" for value in box.as_tuple()] == ["0.004", "0.323", "0.454", "0.927"]


def test_a_box_reaching_into_the_padding_is_cut_at_the_image():
    assert from_letterbox((0, 0, 1000, 1000), width=400, height=200) == Box(0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("units", [(0, 0, 1000, 200), (0, 800, 1000, 900), (500, 300, 400, 600), (5, 300, 5, 600)])
def test_a_box_with_nothing_in_the_image_is_an_error(units):
    with pytest.raises(ValueError, match="must overlap the 400 x 200 image"):
        from_letterbox(units, width=400, height=200)


def test_an_image_without_pixels_is_an_error():
    with pytest.raises(ValueError, match="at least one pixel"):
        to_letterbox(Box(0, 0, 1, 1), width=0, height=10)
