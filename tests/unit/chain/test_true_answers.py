"""Stages that answer the truth, before a real model's others."""

import pytest

from pancap.caption.boxes import Box
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.bench.true_answers import TrueAnswers
from pancap.chain.boxtokens import Instance
from pancap.chain.captioner import Captioner
from pancap.chain.config import DecodingConfig

TRUTH = (
    (Instance(tag="red square", box=Box(0.1, 0.2, 0.3, 0.4)), Instance(tag="sky", box=Box(0.0, 0.0, 1.0, 0.5))),
    (Instance(tag="green square", box=Box(0.25, 0.25, 0.75, 0.75)),),
)


@pytest.fixture
def backend(token_checkpoint):
    return TransformersBackend(token_checkpoint, decoding=DecodingConfig(max_new_tokens_cap=24), batch_size=1)


def test_the_model_is_asked_from_the_first_stage_on_that_is_not_true(backend, pictures):
    captioner = Captioner(TrueAnswers(backend, truth=TRUTH, stages=("loc", "tag", "disc")), mode="chain")
    for result, truth in zip(captioner.caption(pictures[:2]), TRUTH, strict=True):
        assert [entity.tag for entity in result.entities] == [item.tag for item in truth]
        assert result.stages["disc"] == "None"
        for entity, item in zip(result.entities, truth, strict=True):
            assert entity.box.iou(item.box) > 0.98  # three decimals of the padded square
    assert backend.num_images_encoded == 2


def test_true_boxes_leave_the_tags_to_the_model(backend, pictures):
    captioner = Captioner(TrueAnswers(backend, truth=TRUTH, stages=("loc",)), mode="chain")
    plain = Captioner(backend, mode="chain")
    found, alone = captioner.caption(pictures[:2]), plain.caption(pictures[:2])
    assert [result.stages["loc"].count("<box>") for result in found] == [2, 1]
    assert [result.stages["tag"] for result in found] != [result.stages["tag"] for result in alone]


def test_the_truth_for_every_stage_is_refused(backend, pictures):
    captioner = Captioner(TrueAnswers(backend, truth=TRUTH, stages=("loc", "tag", "disc", "cap")), mode="chain")
    with pytest.raises(ValueError, match="expected a stage for the model"):
        captioner.caption(pictures[:2])
