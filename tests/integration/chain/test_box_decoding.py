"""Coordinates of new boxes come from `box_decode`: the shipped chain writes what the whole head would write."""

import pytest

from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.captioner import Captioner, load_captioner
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.answers import Row
from pancap.chain.decoding.loop import Decoder
from pancap.chain.model import load_checkpoint
from pancap.engine.scenes.scene import render_scene


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("nano")


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(seed, size_px=224).image for seed in range(920_000, 920_006)]


def from_the_whole_head(self, hidden_NH, bounds):
    first = self.ids.coordinates.start
    for logits_V, (low, high) in zip(self.model.lm_head(hidden_NH), bounds, strict=True):
        yield low + int(logits_V[first + low : first + high + 1].argmax()), 0.1


def test_all_four_stages_write_what_the_whole_head_writes(checkpoint, scenes, monkeypatch):
    captioner = Captioner(TransformersBackend(checkpoint))
    found = captioner.caption(scenes)
    monkeypatch.setattr(Decoder, "_decode_corners", from_the_whole_head)
    expected = captioner.caption(scenes)
    assert [result.stages for result in found] == [result.stages for result in expected]
    assert sum(len(result.entities) for result in found) > 6
    assert all(0 < value < 1 for result in found for value in result.confidences)


def test_coordinates_of_new_boxes_never_reach_the_whole_head(checkpoint, scenes, monkeypatch):
    rows = {"head": 0, "corners": 0, "taken": 0}
    inside = Decoder._decode_corners

    def count_corners(self, hidden_NH, bounds):
        rows["corners"] += len(bounds)
        return inside(self, hidden_NH, bounds)

    def count_taken(self, token, *, std=0.0, take=Row.take):
        rows["taken"] += 1
        return take(self, token, std=std)

    def count_head(module, inputs, output):
        rows["head"] += len(inputs[0])

    monkeypatch.setattr(Decoder, "_decode_corners", count_corners)
    monkeypatch.setattr(Row, "take", count_taken)
    handle = checkpoint.model.lm_head.register_forward_hook(count_head)
    try:
        (result,) = Captioner(TransformersBackend(checkpoint)).caption(scenes[:1])
    finally:
        handle.remove()
    assert checkpoint.meta.refines_boxes and checkpoint.meta.refines_captions  # so each stage's boxes are new
    num_new = sum(text.count("<c") for text in result.stages.values())
    assert 0 < rows["corners"] <= num_new  # less where the border leaves one value
    assert 0 < rows["head"] <= rows["taken"] - num_new


@pytest.mark.parametrize("name", ["nano", "nano_one_stage"])
def test_every_box_has_a_confidence_also_where_captions_round_it(name, scenes):
    """In a wide image the caption's three decimals are not those of the coordinate tokens."""
    results = load_captioner(name).caption([scene[60:160] for scene in scenes[:2]])
    confidences = [value for result in results for value in result.confidences]
    assert confidences and all(0 < value < 1 for value in confidences)


def test_drafts_change_no_answer_of_the_shipped_chain_and_save_steps(checkpoint, scenes, monkeypatch):
    step, steps = Decoder.step, []

    def count_steps(self):
        ended = step(self)
        steps[-1] += sum(answer.num_steps for _, answer in ended)
        return ended

    monkeypatch.setattr(Decoder, "step", count_steps)
    stages = []
    for config in (DecodingConfig(draft_step_tokens=1000), DecodingConfig(enable_drafts=False)):
        steps.append(0)
        results = Captioner(TransformersBackend(checkpoint, decoding=config)).caption(scenes)
        stages.append([result.stages for result in results])
    assert stages[0] == stages[1]
    assert steps[0] < 0.75 * steps[1]


def test_the_shipped_chain_captions_in_bfloat16_too(scenes):
    for result in load_captioner("nano", dtype="bfloat16").caption(scenes[:2]):
        assert (result.error, result.dropped) == ("", {})
        assert result.caption.count("[[") >= 2
        assert all(0 < value < 1 for value in result.confidences)
