from hypothesis import given
from hypothesis import strategies as st

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.letterbox import from_letterbox, to_letterbox

sizes = st.integers(1, 5000)


def spans():
    pair = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
    return pair.filter(lambda ends: ends[1] - ends[0] > 1e-6)


boxes = st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), spans(), spans())


@given(box=boxes, width=sizes, height=sizes)
def test_round_trip_moves_no_corner_by_more_than_a_unit(box, width, height):
    units = to_letterbox(box, width=width, height=height)
    assert 0 <= units[0] < units[2] <= LETTERBOX_UNITS
    assert 0 <= units[1] < units[3] <= LETTERBOX_UNITS
    back = from_letterbox(units, width=width, height=height)
    unit_px = max(width, height) / LETTERBOX_UNITS
    for before, after, extent in zip(box.as_tuple(), back.as_tuple(), (width, height) * 2, strict=True):
        assert abs(before - after) * extent <= unit_px * (1 + 1e-9)


@given(box=boxes)
def test_thousandths_of_the_image_are_valid_and_near(box):
    units = box.to_units()
    pairs = zip(Box.from_units(units).as_tuple(), box.as_tuple(), strict=True)
    assert all(abs(a - b) <= 1 / LETTERBOX_UNITS + 1e-9 for a, b in pairs)
