"""Figures of detectors whose answers are known."""

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.caption.content import CaptionContent, Entity
from pancap.configs.errors import UsageError
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import Region, TagGuess
from pancap.engine.detectors.evaluate import evaluate_on_photographs, evaluate_on_scenes, num_matches

CAT, SKY = Box(0.1, 0.5, 0.4, 0.9), Box(0.0, 0.0, 1.0, 0.4)


def _render(seed):
    entities = (Entity(id=1, tag="cat", box=CAT), Entity(id=2, tag="sky", box=SKY))
    return np.zeros((8, 8, 3), dtype=np.uint8), CaptionContent(entities=entities)


class _Models:
    """Proposes the cat, calls everything a cat, grounds the sky."""

    def propose(self, images):
        return [[Region(box=CAT, score=0.9)] for _ in images]

    def tag(self, image, boxes):
        return [TagGuess(tag="cat", score=1.0) for _ in boxes]

    def ground(self, images, tags):
        return [[Detection(tag="sky", box=SKY)] for _ in images]


def test_known_answers_have_known_figures():
    models = _Models()
    scores = evaluate_on_scenes(models, models, models, vocabulary=("cat", "sky"), num=3, render=_render)
    assert (scores.proposer.precision, scores.proposer.recall) == (1.0, 0.5)
    assert (scores.grounder.precision, scores.grounder.recall) == (1.0, 0.5)
    assert scores.tagger_accuracy == 0.5
    assert scores.union_tag.f1 == scores.union_location.f1 == 1.0
    assert "union, tag" in scores.render() and scores.to_dict()["union_tag"]["f1"] == 1.0


def test_a_truth_is_matched_once():
    found = [Detection(tag="cat", box=CAT), Detection(tag="cat", box=CAT)]
    assert num_matches(found, [Detection(tag="cat", box=CAT)], min_iou=0.5) == 1
    assert num_matches(found, [Detection(tag="dog", box=CAT)], min_iou=0.5) == 0
    assert num_matches([], found, min_iou=0.5) == 0


def test_photographs_without_annotations_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"panoptic\.json does not exist"):
        evaluate_on_photographs(_Models(), tmp_path)


def test_photographs_are_measured(shared_dir):
    scores = evaluate_on_photographs(_Models(), shared_dir / "data" / "coco-panoptic")
    assert scores.num_images == 100 and scores.regions_per_image == 1.0
    assert scores.num_segments > 1000 and scores.recall < 0.2
