"""PancapScore with the rule-based judge on the real validation captions."""

import json
import re

import pytest

from pancap.scoring import PancapScore, ScoreConfig, score_captions, score_files, score_pair
from pancap.scoring.results import DIMENSIONS

NUM_CAPTIONS = 60
CONFIG = ScoreConfig(bootstrap=200)
BOX = re.compile(r"\[\[[^\]]*\]\]")


@pytest.fixture(scope="module")
def captions_file(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    return path


@pytest.fixture(scope="module")
def captions(captions_file):
    records = json.loads(captions_file.read_text())[:NUM_CAPTIONS]
    return {record["image_path"]: record["gt_response"] for record in records}


@pytest.fixture(scope="module")
def against_itself(captions):
    return score_captions(captions, captions, CONFIG)


def f1(report, name):
    return 100 * report.dimensions[name].f1


def test_a_caption_against_itself_is_near_the_top_in_every_dimension(against_itself):
    assert all(f1(against_itself, name) > 99 for name in DIMENSIONS)
    assert against_itself.overall > 405
    assert (against_itself.n, against_itself.n_invalid) == (NUM_CAPTIONS, 0)
    assert against_itself.words_per_caption == against_itself.reference_words_per_caption > 150


def test_a_caption_against_another_images_is_near_the_bottom(captions, against_itself):
    images = list(captions)
    others = {image: captions[images[(i + 1) % len(images)]] for i, image in enumerate(images)}
    report = score_captions(others, captions, CONFIG)
    assert report.overall < 50
    assert f1(report, "loc") < 5 and f1(report, "att") < 5 and f1(report, "rel") < 5
    assert report.overall_interval.high < against_itself.overall_interval.low


def test_with_one_box_moved_only_location_drops(captions, against_itself):
    moved = {image: BOX.sub("[[0.000, 0.000, 0.010, 0.010]]", text, count=1) for image, text in captions.items()}
    report = score_captions(moved, captions, CONFIG)
    assert f1(report, "loc") < f1(against_itself, "loc") - 5
    for name in ("tag", "att", "rel", "glo"):
        assert f1(report, name) == pytest.approx(f1(against_itself, name), abs=0.5)


def test_batches_merged_in_any_order_give_the_whole(captions, against_itself):
    images = list(captions)
    parts = [images[:7], images[7:30], images[30:]]
    metrics = []
    for part in parts:
        metrics.append(PancapScore(CONFIG))
        batch = {image: captions[image] for image in part}
        metrics[-1].update(batch, batch)
    metrics[2].merge(metrics[0])
    metrics[2].merge(metrics[1])
    merged = metrics[2].compute()
    assert merged.overall == pytest.approx(against_itself.overall, abs=1e-9)
    assert merged.n == NUM_CAPTIONS


def test_files_and_pairs_agree_with_the_whole(captions, against_itself, tmp_path):
    image = next(iter(captions))
    records = [{"image_path": image, "caption": captions[image]}]
    (tmp_path / "one.json").write_text(json.dumps(records))
    report = score_files(tmp_path / "one.json", tmp_path / "one.json", CONFIG)
    pair = score_pair(captions[image], captions[image])
    assert report.images[image] == pair == against_itself.images[image]
