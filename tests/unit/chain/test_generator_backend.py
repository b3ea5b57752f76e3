"""The stages over a scripted generator; real ones are in tests/integration/llm and tests/integration/chain."""

import json
from io import BytesIO

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.chain.backends.generator import GeneratorBackend
from pancap.chain.captioner import Captioner
from pancap.chain.config import DecodingConfig, PromptingConfig
from pancap.chain.dialects import TrainedDialect, dialect_of
from pancap.chain.stages import STAGES
from pancap.llm.base import Reply
from pancap.llm.scripted import ScriptedGenerator

ANSWERS = {
    "loc": "<box>[[100, 250, 300, 400]]</box>",
    "tag": "cat <box>[[100, 250, 300, 400]]</box>",
    "disc": "dog <box>[[500, 250, 700, 400]]</box>, bird <box>[[1, 2",
    "cap": "A cat <box>[[100, 250, 300, 400]]</box> and a dog <box>[[500, 250, 700, 400]]</box>.",
}


def wide(height=50, width=100):
    return np.zeros((height, width, 3), np.uint8)


def captioner(script, *, mode="chain", **prompting):
    generator = ScriptedGenerator(script)
    has_rules = not prompting
    dialect = dialect_of(PromptingConfig(**prompting), has_rules=has_rules)
    return Captioner(GeneratorBackend(generator, dialect=dialect), mode=mode), generator


def picture_of(request):
    from PIL import Image

    (image,) = request.messages[-1].images
    return Image.open(BytesIO(image))


def test_each_stage_is_asked_about_what_the_stages_before_found():
    made, generator = captioner(lambda request: ANSWERS[request.purpose])
    (result,) = made.caption([wide()])
    assert [request.purpose for request in generator.asked] == ["loc", "tag", "disc", "cap"]
    assert generator.asked[0].messages[-1].text == STAGES["loc"].head
    assert generator.asked[1].messages[-1].text == f"{STAGES['tag'].head} <box>[[100, 250, 300, 400]]</box>"
    assert [(entity.tag, entity.box) for entity in result.entities] == [
        ("cat", Box(0.1, 0.0, 0.3, 0.3)),
        ("dog", Box(0.5, 0.0, 0.7, 0.3)),
    ]
    assert result.caption == "A cat [[0.100, 0.000, 0.300, 0.300]] and a dog [[0.500, 0.000, 0.700, 0.300]]."
    assert result.confidences == (None, None)
    assert result.dropped == {}
    assert list(result.timings_s) == ["loc", "tag", "disc", "cap"]


@pytest.mark.parametrize("enable_constraints", [True, False])
def test_a_ruled_answer_never_ends_inside_a_box(enable_constraints):
    """R26: where the limit cut a box, its beginning was reported as a malformed box. Without rules it still is: there
    it may as well be the model's own."""
    generator = ScriptedGenerator(lambda request: Reply(text=ANSWERS[request.purpose], finish="length"))
    dialect = TrainedDialect(coordinates="text", has_rules=True)
    decoding = DecodingConfig(enable_constraints=enable_constraints)
    (result,) = Captioner(GeneratorBackend(generator, dialect=dialect, decoding=decoding)).caption([wide()])
    assert [entity.tag for entity in result.entities] == ["cat", "dog"]
    assert result.dropped == ({} if enable_constraints else {"disc": ("unclosed: <box>[[1, 2",)})


def test_every_request_of_an_image_begins_with_the_same_picture_a_padded_square():
    made, generator = captioner(lambda request: ANSWERS[request.purpose])
    made.caption([wide(), wide(80, 20)])
    pictures = [request.messages[-1].images for request in generator.asked]
    assert len(set(pictures[:4])) == len(set(pictures[4:])) == 1 and pictures[0] != pictures[4]
    assert picture_of(generator.asked[0]).size == (100, 100)
    assert json.loads(generator.asked[0].rules) == [0, 250, 1000, 750]  # the image in its square
    assert json.loads(generator.asked[4].rules) == [375, 0, 625, 1000]


def test_no_image_waits_for_another_ones_stage():
    """The generator finishes one conversation before it takes the next image, and the stages follow it."""
    made, generator = captioner(lambda request: ANSWERS[request.purpose])
    found = []
    for place, _ in made.caption_each(wide() for _ in range(3)):
        found.append((place, len(generator.asked)))
    assert found == [(0, 4), (1, 8), (2, 12)]


def test_an_image_without_boxes_skips_the_tag_stage():
    made, generator = captioner(lambda request: "None" if request.purpose == "loc" else ANSWERS[request.purpose])
    made.caption([wide()])
    assert [request.purpose for request in generator.asked] == ["loc", "disc", "cap"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(text="", finish="filtered", error="withheld"), "stage disc, filtered: withheld"),
        (Reply(text="", finish="refused", error="400 (too long)"), "stage disc, refused: 400 (too long)"),
        (Reply(text="", finish="failed", error="503"), "stage disc, failed: 503"),
    ],
)
def test_a_stage_without_an_answer_gives_up_its_image_alone(reply, error):
    """R14: what an engine does not take, since it is too long say, is set aside with its reason and never cut."""
    calls = []

    def script(request):
        calls.append(request.purpose)
        return reply if calls.count("disc") == 1 and request.purpose == "disc" else ANSWERS[request.purpose]

    made, _ = captioner(script)
    bad, good = made.caption([wide(), wide()])
    assert (bad.error, bad.caption, list(bad.stages)) == (error, "", ["loc", "tag"])
    assert good.error == "" and good.caption


def test_an_empty_caption_is_no_caption():
    """R8: else a model that says nothing would be scored as one that saw nothing."""
    made, _ = captioner(lambda request: " " if request.purpose == "cap" else ANSWERS[request.purpose])
    (result,) = made.caption([wide()])
    assert result.error == "stage cap, empty: the model wrote no caption"


@pytest.mark.parametrize(
    "answer", ["[[" * 500, "<box>[[9, 9, 1, 1]]</box>", "\udcff", "a " * 5000, "[[nan, inf, 1, 2]]"]
)
@pytest.mark.parametrize("prompts", ["trained", "C"])
def test_no_answer_makes_the_stages_fail(answer, prompts):
    """R26."""
    prompting = {} if prompts == "trained" else {"prompts": "C", "boxes": "pixels"}
    made, _ = captioner(lambda request: answer, **prompting)
    (result,) = made.caption([wide()])
    assert not result.error


def test_zero_shot_stages_speak_in_the_frame_of_the_picture_that_was_sent():
    """Pixels of the image itself would be wrong by the factor by which it was made smaller."""
    answers = {
        "loc": "[[28, 28, 84, 56]]",
        "tag": "Cat [[28, 28, 84, 56]]",
        "disc": "None",
        "cap": "A cat [[28, 28, 84, 56]].",
    }
    made, generator = captioner(
        lambda request: answers[request.purpose],
        prompts="C",
        boxes="pixels",
        max_pixels=10_000,
        multiple_px=28,
        system="Be brief.",
    )
    (result,) = made.caption([wide(500, 1000)])
    width, height = picture_of(generator.asked[0]).size
    assert (width, height) == (140, 56)
    assert [message.role for message in generator.asked[0].messages] == ["system", "user"]
    assert f"which is {width} wide and {height} high" in generator.asked[0].messages[-1].text
    assert generator.asked[1].messages[-1].text.endswith("The boxes:\n[[28, 28, 84, 56]]")
    assert generator.asked[2].messages[-1].text.endswith("The list:\ncat [[28, 28, 84, 56]]")
    assert [(entity.tag, entity.box) for entity in result.entities] == [("cat", Box(0.2, 0.5, 0.6, 1.0))]
    assert not any(request.rules for request in generator.asked)


@pytest.mark.parametrize(("boxes", "example"), [("fractions", "[[0.120, 0.415, "), ("thousandths_yx", "[[415, 120, ")])
def test_the_example_of_prompt_b_is_in_the_models_own_frame(boxes, example):
    made, generator = captioner(lambda request: "A cat.", mode="one_stage", prompts="B", boxes=boxes)
    (result,) = made.caption([wide()])
    (request,) = generator.asked
    assert example in request.messages[-1].text
    assert (result.caption, result.entities) == ("A cat.", ())


def test_limits_are_those_of_the_stage_and_rules_go_where_they_are_wanted():
    dialect = TrainedDialect(coordinates="tokens", image_px=32, has_rules=True)
    for is_wanted in (True, False):
        generator = ScriptedGenerator(lambda request: "None")
        decoding = DecodingConfig(max_new_tokens_loc=7, max_new_tokens_cap=9, enable_constraints=is_wanted)
        Captioner(GeneratorBackend(generator, dialect=dialect, decoding=decoding)).caption([wide()])
        assert [request.max_tokens for request in generator.asked] == [7, decoding.max_new_tokens_disc, 9]
        assert all(bool(request.rules) == is_wanted for request in generator.asked)
        assert picture_of(generator.asked[0]).size == (32, 32)
