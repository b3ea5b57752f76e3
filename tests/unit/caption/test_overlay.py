import numpy as np

from pancap.caption import Box, Entity
from pancap.caption.overlay import draw_boxes

GRAY = np.full((192, 256, 3), 128, np.uint8)
ENTITIES = [
    Entity(id=1, tag="cat", box=Box(0.1, 0.1, 0.5, 0.9)),
    Entity(id=2, tag="sky"),
    Entity(id=3, tag="dog", box=Box(0.6, 0.0, 1.0, 1.0)),
]


def test_a_small_picture_is_enlarged_by_a_whole_factor():
    assert draw_boxes(GRAY, ENTITIES).shape == (576, 768, 3)
    assert draw_boxes(np.zeros((700, 900, 3), np.uint8), []).shape == (700, 900, 3)


def test_boxes_are_drawn_in_colours_of_their_own_and_the_input_is_left_alone():
    before = GRAY.copy()
    drawn = draw_boxes(GRAY, ENTITIES)
    assert np.array_equal(GRAY, before)
    left_edge, right_edge = drawn[300, 77], drawn[300, 460]
    assert not np.array_equal(left_edge, [128, 128, 128])
    assert not np.array_equal(left_edge, right_edge)
    assert np.array_equal(drawn[300, 200], [128, 128, 128])


def test_the_same_input_gives_the_same_picture():
    assert np.array_equal(draw_boxes(GRAY, ENTITIES), draw_boxes(GRAY, ENTITIES))


def test_entities_without_boxes_change_nothing():
    assert np.all(draw_boxes(GRAY, [Entity(id=1, tag="sky")]) == 128)


def test_strips_one_pixel_wide_are_drawn():
    assert draw_boxes(np.zeros((1, 300, 3), np.uint8), ENTITIES).shape[2] == 3
