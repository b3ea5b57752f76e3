"""What is measured of drawn arrays whose colours, places and light are known."""

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.engine.captioners.colors import color_names, lab_from_rgb, name_shares
from pancap.engine.captioners.embedded import EmbeddedCaptioner
from pancap.engine.captioners.embedded_verify import EmbeddedVerifyCaptioner
from pancap.engine.captioners.measure import measure
from pancap.engine.detections import Detection
from pancap.engine.scenes.vocabulary import COLORS

SKY, GRASS = (120, 175, 235), (88, 150, 66)


def landscape(*things):
    """Blue sky over green grass, and coloured rectangles: (tag, rgb, (x1, y1, x2, y2) in 1/100)."""
    rgb = np.zeros((200, 200, 3), np.uint8)
    rgb[:80], rgb[80:] = SKY, GRASS
    detections = [Detection(tag="sky", box=Box(0, 0, 1, 0.4)), Detection(tag="grass", box=Box(0, 0.4, 1, 1))]
    for tag, color, (x1, y1, x2, y2) in things:
        if color is not None:
            rgb[2 * y1 : 2 * y2, 2 * x1 : 2 * x2] = color
        detections.append(Detection(tag=tag, box=Box(x1 / 100, y1 / 100, x2 / 100, y2 / 100)))
    return rgb, detections


def relations_of(content):
    tags = {entity.id: entity.tag for entity in content.entities}
    return {(tags[item.subject_id], item.text, tags[item.object_id]) for item in content.relations}


def attributes_of(content, tag):
    ids = {entity.id for entity in content.entities if entity.tag == tag}
    return {item.text for item in content.attributes if item.entity_id in ids}


@pytest.mark.parametrize("name", list(COLORS))
def test_every_anchor_has_its_own_name(name):
    assert list(name_shares(lab_from_rgb(np.array([COLORS[name]], np.uint8)))) == [name]
    assert name in color_names()


@pytest.mark.parametrize("name", ["red", "yellow", "blue", "white", "black"])
def test_the_color_of_a_thing_is_that_of_its_inside(name):
    rgb, detections = landscape(("car", COLORS[name], (30, 50, 60, 70)))
    assert f"is {name}" in attributes_of(measure(rgb, detections), "car")


def test_a_thin_thing_on_grass_is_not_green():
    rgb, detections = landscape(("sign", None, (40, 50, 70, 90)))
    rgb[100:180, 100:116] = COLORS["red"]
    rgb[100:130, 84:136] = COLORS["red"]
    assert "is red" in attributes_of(measure(rgb, detections), "sign")


def test_the_color_of_what_lies_in_front_is_left_out():
    rgb, detections = landscape(("house", COLORS["yellow"], (20, 20, 80, 70)), ("car", COLORS["red"], (22, 30, 78, 68)))
    content = measure(rgb, detections)
    assert "is yellow" in attributes_of(content, "house")
    assert "is red" in attributes_of(content, "car")


@pytest.mark.parametrize(("name", "expected"), [("yellow", {"has short blond hair"}), ("green", set())])
def test_hair_is_named_only_in_the_colors_of_hair(name, expected):
    rgb, detections = landscape(("man", COLORS["red"], (40, 40, 52, 90)))
    rgb[80:90, 80:104] = COLORS[name]
    texts = attributes_of(measure(rgb, detections), "man")
    assert "wears a red shirt" in texts
    assert {text for text in texts if "hair" in text} == expected


def test_positions_follow_the_boxes():
    rgb, detections = landscape(("car", (200, 40, 40), (5, 60, 25, 75)), ("tree", (60, 90, 40), (60, 30, 75, 75)))
    found = relations_of(measure(rgb, detections))
    assert ("car", "is to the left of", "tree") in found or ("tree", "is to the right of", "car") in found


def test_a_part_belongs_to_the_smallest_whole_that_holds_it():
    things = [("building", (120, 120, 120), (5, 5, 95, 80)), ("house", (220, 60, 60), (30, 30, 70, 70))]
    rgb, detections = landscape(*things, ("door", (90, 60, 40), (45, 50, 55, 70)))
    content = measure(rgb, detections)
    assert ("door", "is part of", "house") in relations_of(content)
    assert [entity.kind for entity in content.entities if entity.tag == "door"] == ["part"]


def test_a_wheel_without_a_car_is_no_part():
    rgb, detections = landscape(("wheel", (30, 30, 30), (40, 60, 50, 70)))
    content = measure(rgb, detections)
    assert "is part of" not in {item.text for item in content.relations}
    assert content.entities[-1].kind == "whole"


def test_the_state_of_the_scene():
    rgb, detections = landscape()
    assert set(measure(rgb, detections).globals) >= {
        "the scene is outdoors", "the scene is during the day", "the weather is sunny"
    }  # fmt: skip
    assert "the scene is at night" in measure((rgb * 0.2).astype(np.uint8), detections).globals


def test_rooms_are_indoors():
    rgb = np.full((100, 100, 3), 180, np.uint8)
    detections = [Detection(tag="wall", box=Box(0, 0, 1, 0.6)), Detection(tag="sofa", box=Box(0.2, 0.4, 0.8, 0.8))]
    assert "the scene is indoors" in measure(rgb, detections).globals


@pytest.mark.parametrize("captioner", [EmbeddedCaptioner(), EmbeddedVerifyCaptioner()])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (97, 3), (20, 500)])
def test_captioners_take_images_of_any_shape(captioner, size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    detections = [
        Detection(tag="car", box=Box(0.0, 0.0, 0.001, 0.001)),
        Detection(tag="man", box=Box(0.1, 0.1, 0.9, 1.0)),
        Detection(tag="sky", box=Box(0, 0, 1, 1)),
    ]
    text = captioner.caption(rgb, detections)
    assert text == captioner.caption(rgb.copy(), detections)
    assert text.count("[[") == 3


@pytest.mark.parametrize("captioner", [EmbeddedCaptioner(), EmbeddedVerifyCaptioner()])
def test_an_image_without_detections_still_gets_a_caption(captioner):
    rgb, _ = landscape()
    assert captioner.caption(rgb, []).endswith(".")
