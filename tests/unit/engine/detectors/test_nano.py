"""The shipped weights: complete, listed in the model card, and able to see."""

import hashlib

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.engine.detectors.base import UNKNOWN_TAG
from pancap.engine.detectors.nano import NanoGrounder, NanoProposer, NanoTagger
from pancap.engine.detectors.scene_cache import render_for_training
from pancap.engine.detectors.weights import WEIGHTS_DIR, read_info

HELD_OUT_SEEDS = range(1000, 1008)


@pytest.fixture(scope="module")
def held_out():
    return [render_for_training(seed) for seed in HELD_OUT_SEEDS]


@pytest.mark.parametrize("kind", ["proposer", "grounder", "tagger"])
def test_each_file_is_small_and_in_the_model_card(kind):
    file = WEIGHTS_DIR / f"{kind}.safetensors"
    assert file.stat().st_size < 2_000_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() in (WEIGHTS_DIR / "MODEL_CARD.md").read_text()
    info = read_info(file)
    assert info.kind == kind and info.seed >= 1_000_000


def test_the_proposer_finds_a_third_of_what_is_there(held_out):
    found = NanoProposer().propose([image for image, _ in held_out])
    hits = [
        any(region.box.iou(entity.box) >= 0.5 for region in regions)
        for regions, (_, content) in zip(found, held_out, strict=True)
        for entity in content.entities
    ]
    assert np.mean(hits) > 1 / 3


def test_a_batch_equals_one_by_one(held_out):
    images = [image for image, _ in held_out[:3]]
    proposer = NanoProposer()
    together, alone = proposer.propose(images), [proposer.propose([image])[0] for image in images]
    assert [len(regions) for regions in together] == [len(regions) for regions in alone]
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_allclose([r.box.as_tuple() for r in many], [r.box.as_tuple() for r in one], atol=1e-4)


def test_the_grounder_returns_only_what_it_is_asked_for(held_out):
    image, content = held_out[0]
    grounder = NanoGrounder(min_score=0.05)
    wanted = [content.entities[0].tag, "a tag of no model"]
    assert {item.tag for item in grounder.ground([image], [wanted])[0]} <= {content.entities[0].tag}
    assert len(grounder.ground([image], [grounder.vocabulary])[0]) > 0
    with pytest.raises(ValueError, match="one list of tags for each image"):
        grounder.ground([image], [])


def test_the_tagger_names_stuff_and_admits_what_it_does_not_know(held_out):
    tagger = NanoTagger()
    named = [
        (entity.tag, tagger.tag(image, [entity.box])[0].tag)
        for image, content in held_out
        for entity in content.entities
        if entity.tag in {"sky", "grass", "wall", "floor"}
    ]
    assert np.mean([truth == guess for truth, guess in named]) > 0.5
    unsure = NanoTagger(min_score=1.1).tag(held_out[0][0], [Box(0.1, 0.1, 0.5, 0.5)])
    assert unsure[0].tag == UNKNOWN_TAG and unsure[0].score <= 1.0
    assert tagger.tag(held_out[0][0], []) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (480, 640)])
def test_every_image_shape_is_taken(shape):
    image = np.full((*shape, 3), 128, dtype=np.uint8)
    regions = NanoProposer(min_score=0.0).propose([image])[0]
    assert all(0 <= region.box.x1 < region.box.x2 <= 1 for region in regions)
    assert len(NanoTagger().tag(image, [region.box for region in regions])) == len(regions)
