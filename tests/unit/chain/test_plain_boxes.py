"""Boxes of models that write them in frames of their own."""

import pytest

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import Instance
from pancap.chain.plain_boxes import PlainCodec

FRAMES = {
    "fractions": "[[0.100, 0.200, 0.500, 0.800]]",
    "thousandths": "[[100, 200, 500, 800]]",
    "thousandths_yx": "[[200, 100, 800, 500]]",
    "pixels": "[[40, 40, 200, 160]]",
}
BOX = Box(0.1, 0.2, 0.5, 0.8)


def codec(frame, width=400, height=200):
    return PlainCodec(frame=frame, width=width, height=height)


@pytest.mark.parametrize(("frame", "text"), FRAMES.items())
def test_a_box_means_the_same_in_every_frame(frame, text):
    assert codec(frame).render_box(BOX) == text
    assert codec(frame).parse_boxes(text) == (BOX,)


@pytest.mark.parametrize(
    "text",
    [
        "[[100, 200, 500, 800]]",
        "[100,200,500,800]",
        "<box>[[100, 200, 500, 800]]</box>",
        "- [ 100 , 200 , 500 , 800 ]",
        "Sure! Here is it: [[100.0, 200, 500, 800]].",
        "[[100, 200, 500, 800]]\n[[100, 200, 500, 800]]",
    ],
)
def test_the_usual_ways_to_write_a_box_are_read(text):
    assert codec("thousandths").parse_boxes(text) == (BOX,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[100, 200, 500", "unclosed"),
        ("[[100, 200, 500]]", "wrong_count"),
        ("[[500, 200, 100, 800]]", "not_ordered"),
        ("[[100, 200, 5000, 800]]", "out_of_range"),
        ("[[100, 200, 5oo, 800]]", "not_a_number"),
        ("[[1e999, 200, 500, 800]]", "out_of_range"),
    ],
)
def test_what_is_no_box_is_dropped_with_its_reason_and_reading_goes_on(text, reason):
    """R26."""
    answer = f"a cat {text}\na dog [[100, 200, 500, 800]]"
    (dropped,) = codec("thousandths").dropped(answer)
    assert dropped.startswith(f"{reason}: ")
    assert codec("thousandths").parse_instances(answer) == (Instance(tag="a dog", box=BOX),)


def test_a_box_that_ends_a_little_outside_is_cut_at_the_edge():
    assert codec("pixels").parse_boxes("[[-3, 0, 405, 201]]") == (Box(0.0, 0.0, 1.0, 1.0),)


def test_a_number_in_brackets_is_text():
    assert codec("fractions").from_model("See [1] and [citation needed].") == "See [1] and [citation needed]."


def test_tags_are_the_words_before_a_box_without_list_marks():
    text = "1. Red Car: [1, 2, 3, 4]\n* **sky** [[5, 6, 7, 8]]\ntree [[9, 10, 11, 12]], man [[13, 14, 15, 16]]\n[1, 2, 9, 9]"
    assert [item.tag for item in codec("thousandths").parse_instances(text)] == ["red car", "sky", "tree", "man"]


def test_a_caption_comes_back_in_fractions_of_the_image():
    caption = codec("thousandths_yx").from_model("A cat [[200, 100, 800, 500]] and a dog [[1, 2]].")
    assert caption == "A cat [[0.100, 0.200, 0.500, 0.800]] and a dog ."
