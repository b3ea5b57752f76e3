"""Boxes of a chain's stages against the true ones."""

import json

import numpy as np
import pytest
from PIL import Image

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec
from pancap.platform.stage_texts import StageTexts, mean_texts, read_stage_texts


@pytest.fixture
def texts(tmp_path):
    """Of one picture, 200 x 100, of a cat and a dog; three boxes were listed, and one told of."""
    Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save(tmp_path / "a.png")
    cat, dog = "a cat [[0.000, 0.000, 0.500, 1.000]]", "a dog [[0.600, 0.000, 1.000, 0.500]]"
    reference = tmp_path / "captions.json"
    reference.write_text(json.dumps([{"image_path": "a.png", "gt_response": f"There are {cat} and {dog}, {cat}."}]))
    codec = BoxCodec(coordinates="tokens", width=200, height=100)
    boxes = [Box(0.0, 0.0, 0.5, 0.9), Box(0.0, 0.0, 0.45, 1.0), Box(0.6, 0.6, 1.0, 1.0)]
    stages = {
        "loc": codec.render_boxes(boxes),
        "disc": "None",
        "cap": codec.to_model("A cat [[0.000, 0.000, 0.500, 0.900]], a cat [[0.000, 0.000, 0.500, 0.900]]."),
    }
    records = tmp_path / "captions.jsonl"
    records.write_text(json.dumps({"image_path": "a.png", "stages": stages}) + "\n")
    return read_stage_texts(records, reference=reference, coordinates="tokens", count_tokens=len)


def test_a_true_box_is_found_once_and_a_box_is_right_once(texts):
    loc, disc, cap = (texts[stage] for stage in ("loc", "disc", "cap"))
    assert (loc.boxes, loc.recall, loc.precision) == (3, 50.0, pytest.approx(100 / 3))
    assert (disc.tokens, disc.boxes, disc.recall, disc.precision) == (4, 0, 0.0, 0.0)
    assert (cap.boxes, cap.recall, cap.precision) == (1, 50.0, 100.0)


def test_seeds_are_averaged():
    one = StageTexts(tokens=10, boxes=2, recall=50, precision=100)
    two = StageTexts(tokens=20, boxes=4, recall=70, precision=0)
    assert mean_texts([one, two]) == StageTexts(tokens=15, boxes=3, recall=60, precision=50)
