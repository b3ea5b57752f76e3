"""Boxes of answers under rules, in backend transformers: none is malformed, whatever the model would like to write."""

import pytest

from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.captioner import Captioner
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.box_masks import TextMasks
from pancap.chain.decoding.loop import Decoder
from pancap.chain.tokenizer import encode

FORMS = ["token_checkpoint", "text_checkpoint"]


@pytest.fixture(params=FORMS)
def checkpoint(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def caption(begins_boxes):
    """Captions by a model that begins a box wherever it may, and has no idea what one looks like."""

    def run(checkpoint, pictures, *, max_new_tokens, **settings):
        limits = {f"max_new_tokens_{stage}": max_new_tokens for stage in ("loc", "tag", "disc", "cap")}
        decoding = DecodingConfig(**limits, repeat_window=0, **settings)
        with begins_boxes(checkpoint):
            return Captioner(TransformersBackend(checkpoint, decoding=decoding, batch_size=3)).caption(pictures)

    return run


def num_boxes(results):
    return sum(answer.count("<box>") for result in results for answer in result.stages.values())


@pytest.mark.parametrize("max_new_tokens", [40, 43, 46])
def test_no_malformed_box_comes_out_wherever_an_answer_is_cut(caption, checkpoint, pictures, max_new_tokens):
    """R26: with digits any box could come out, and where the limit cut one its beginning stayed, in either spelling."""
    results = caption(checkpoint, pictures[1:3], max_new_tokens=max_new_tokens)
    assert num_boxes(results) >= 8
    assert [result.dropped for result in results] == [{}, {}]


def test_without_rules_such_a_model_writes_malformed_boxes(caption, checkpoint, pictures):
    results = caption(checkpoint, pictures[1:3], max_new_tokens=40, enable_constraints=False)
    assert all(result.dropped for result in results)


def test_boxes_of_digits_stay_inside_the_image(caption, text_checkpoint, pictures):
    """In a wide image y has other limits than x, in a high one x than y."""
    results = caption(text_checkpoint, pictures[1:3], max_new_tokens=60)
    for result, picture in zip(results, pictures[1:3], strict=True):
        codec = BoxCodec(coordinates="text", width=picture.shape[1], height=picture.shape[0])
        x_min, y_min, x_max, y_max = codec.limits()
        for box in codec.parse_boxes(result.stages["loc"]):
            x1, y1, x2, y2 = codec.to_units(box)
            assert x_min <= x1 < x2 <= x_max and y_min <= y1 < y2 <= y_max


def test_rules_cost_a_model_that_writes_good_boxes_no_second_look(text_checkpoint, pictures, monkeypatch):
    """One batched argmax a step, as without rules; the masks are for what would spoil a box."""
    script = encode(text_checkpoint.tokenizer, "A red square <box>[[100, 300, 300, 600]]</box> is calm.")
    script.append(text_checkpoint.tokenizer.eos_token_id)
    asked = {"masks": 0, "head": 0, "steps": 0}

    def write_script(self, hidden_TH, rows, choose=Decoder._choose_plain):
        choose(self, hidden_TH, rows)
        asked["steps"] += 1
        for row in rows:
            row.plain = iter(script[len(row.ids) :])

    def count(name):
        asked[name] += 1

    monkeypatch.setattr(Decoder, "_choose_plain", write_script)
    monkeypatch.setattr(TextMasks, "mask", lambda *args, **settings: count("masks"))
    handle = text_checkpoint.model.lm_head.register_forward_hook(lambda *args: count("head"))
    try:
        results = Captioner(TransformersBackend(text_checkpoint), mode="one_stage").caption(pictures[:2])
    finally:
        handle.remove()
    assert [result.dropped for result in results] == [{}, {}]
    assert [len(result.entities) for result in results] == [1, 1]
    assert asked["masks"] == 0
    assert asked["head"] == asked["steps"] > 1
