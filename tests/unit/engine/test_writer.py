"""Captions written from content: style, names of instances, agreement of verbs."""

import re

import pytest

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.engine.captioners.phrases import is_plural, parse_predicate, render_box
from pancap.engine.captioners.writer import write_caption

SEEDS = range(40)


def content_of(tags, attributes=(), relations=(), globals=()):
    entities = tuple(
        Entity(id=i, tag=tag, kind="part" if tag == "door" else "whole", box=Box(i / 20, 0.1, i / 20 + 0.04, 0.5))
        for i, tag in enumerate(tags, start=1)
    )
    return CaptionContent(
        entities=entities,
        attributes=tuple(Attribute(entity_id=i, text=text) for i, text in attributes),
        relations=tuple(Relation(subject_id=a, object_id=b, text=text) for a, text, b in relations),
        globals=tuple(globals),
    )


def test_same_seed_gives_the_same_text_and_other_seeds_give_many_texts():
    content = content_of(["house", "door", "tree"], [(1, "is red")], [(2, "is part of", 1), (3, "is behind", 1)])
    texts = [write_caption(content, seed=seed) for seed in SEEDS]
    assert texts == [write_caption(content, seed=seed) for seed in SEEDS]
    assert len(set(texts)) > 15


def test_styles_differ():
    content = content_of(["car", "tree"], [(1, "is red")], [(1, "is behind", 2)], ["the scene is outdoors"])
    assert all(write_caption(content, seed=s) != write_caption(content, seed=s, style="plain") for s in SEEDS)


def test_instances_with_own_colors_are_told_apart_by_them():
    content = content_of(["car", "car"], [(1, "is red"), (2, "is blue")], [(1, "is behind", 2)])
    for seed in SEEDS:
        text = write_caption(content, seed=seed)
        assert "red car" in text and "blue car" in text and "first car" not in text


@pytest.mark.parametrize("style", ["prose", "plain"])
def test_instances_that_look_alike_are_numbered_in_the_order_of_the_text(style):
    tags = [(1, "is green"), (2, "is green"), (1, "meets one")]
    content = content_of(["tree", "tree"], [*tags, (2, "meets two")], [(1, "touches", 2)])
    for seed in SEEDS:
        text = write_caption(content, seed=seed, style=style)
        is_first = text.index(render_box(content.entity(1).box)) < text.index(render_box(content.entity(2).box))
        numbers = ("first", "second") if is_first else ("second", "first")
        assert re.search(rf"\b(the|it|{numbers[0]}) .*touches the {numbers[1]} tree", text, re.IGNORECASE), text


def test_a_shade_does_not_tell_a_car_from_a_car_of_the_plain_color():
    content = content_of(["car", "car"], [(1, "is red"), (2, "is dark red")], [(1, "touches", 2)])
    for seed in SEEDS:
        text = write_caption(content, seed=seed)
        assert "the red car" not in text and "the dark red car" not in text


def test_place_and_time_make_the_opening():
    content = content_of(["car"], globals=["the scene is indoors", "the scene is at night", "the mood is calm"])
    for seed in SEEDS:
        text = write_caption(content, seed=seed)
        assert "an indoor scene at night" in text.split(".")[0]
        assert "mood is calm" in text


def test_plural_tags_take_plural_verbs():
    content = content_of(["clouds"], [(1, "is white"), (1, "has soft edges")])
    for seed in SEEDS:
        text = write_caption(content, seed=seed)
        assert "has soft" not in text and "have soft edges" in text


@pytest.mark.parametrize(("tag", "expected"), [("stairs", True), ("bus", False), ("glass", False), ("people", True)])
def test_plural_is_seen_in_the_last_word(tag, expected):
    assert is_plural(tag) is expected


@pytest.mark.parametrize(
    ("text", "verb", "rest"),
    [
        ("is red", "is", "red"),
        ("holds", "holds", ""),
        ("to the left of", "is", "to the left of"),
        ("across from", "is", "across from"),
        ("has  a\nflat roof.", "has", "a flat roof"),
    ],
)
def test_predicates_are_read_as_verb_and_rest(text, verb, rest):
    predicate = parse_predicate(text)
    assert (predicate.verb, predicate.rest) == (verb, rest)


def test_boxes_keep_three_decimals_and_an_extent():
    assert render_box(Box(0.99998, 0.1234, 1.0, 0.1235)) == "[[0.999, 0.123, 1.000, 0.124]]"


@pytest.mark.parametrize("style", ["prose", "plain"])
def test_content_without_entities_still_gives_a_sentence(style):
    assert write_caption(CaptionContent(), seed=0, style=style) == "The image shows a scene."
