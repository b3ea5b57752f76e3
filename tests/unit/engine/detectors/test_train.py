"""A few steps of the real training on drawn squares: finite, reproducible, loadable."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pancap.caption.boxes import Box
from pancap.caption.content import CaptionContent, Entity
from pancap.configs.errors import UsageError
from pancap.engine.detectors.config import DetectorTrainConfig
from pancap.engine.detectors.nano import NanoGrounder, NanoProposer, NanoTagger
from pancap.engine.detectors.scene_cache import cache_scenes
from pancap.engine.detectors.train import train_detectors


def render_square(seed):
    rng = np.random.default_rng(seed)
    x, y, side = (int(value) for value in rng.integers(20, 100, 3))
    rgb = np.full((256, 256, 3), 90, dtype=np.uint8)
    rgb[y : y + side, x : x + side] = rng.integers(150, 255, 3)
    box = Box(x / 256, y / 256, (x + side) / 256, (y + side) / 256)
    return rgb, CaptionContent(entities=(Entity(id=1, tag="house", box=box), Entity(id=2, tag="no such tag", box=box)))


def _train(out, **changes):
    fields = {"num_scenes": 4, "batch_size": 2, "proposer_steps": 2, "grounder_steps": 1, "tagger_steps": 2, **changes}
    return train_detectors(DetectorTrainConfig(out=str(out), **fields), render=render_square)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("weights")
    return out, _train(out)


def test_the_losses_are_finite_and_the_weights_load(trained):
    out, summary = trained
    assert set(summary.losses) == {"proposer", "grounder", "tagger"}
    assert all(np.isfinite(loss) for loss in summary.losses.values())
    image, _ = render_square(1)
    assert len(NanoProposer(out / "proposer.safetensors", min_score=0.0).propose([image, image])) == 2
    grounder = NanoGrounder(out / "grounder.safetensors", min_score=0.0)
    assert {item.tag for item in grounder.ground([image], [["house", "no such tag"]])[0]} == {"house"}
    assert grounder.ground([image], [[]]) == [[]]
    assert len(NanoTagger(out / "tagger.safetensors").tag(image, [Box(0.1, 0.1, 0.5, 0.5)] * 3)) == 3


def test_same_seed_same_weights(trained, tmp_path):
    out, _ = trained
    threads = torch.get_num_threads()
    _train(tmp_path, grounder_steps=0, tagger_steps=0)
    assert torch.get_num_threads() == threads
    first, second = load_file(out / "proposer.safetensors"), load_file(tmp_path / "proposer.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_goes_on_from_weights(trained, tmp_path):
    out, _ = trained
    summary = _train(tmp_path, proposer_steps=0, tagger_steps=0, learning_rate=1e-9, start_from=str(out))
    assert list(summary.losses) == ["grounder"]
    first, second = load_file(out / "grounder.safetensors"), load_file(tmp_path / "grounder.safetensors")
    torch.testing.assert_close(first["stem.0.weight"], second["stem.0.weight"], atol=1e-3, rtol=0)
    with pytest.raises(UsageError, match=r"tagger\.safetensors is missing"):
        _train(tmp_path, proposer_steps=0, grounder_steps=0, start_from=str(tmp_path))


def test_the_cache_is_reused_only_for_the_same_scenes(tmp_path):
    def fail(seed):
        raise AssertionError("rendered again")

    classes = ("house",)
    first = cache_scenes(tmp_path, seed=5, num=3, classes=classes, render=render_square)
    again = cache_scenes(tmp_path, seed=5, num=3, classes=classes, render=fail)
    np.testing.assert_array_equal(first.images, again.images)
    assert [len(labels) for labels in again.labels] == [1, 1, 1]
    other = cache_scenes(tmp_path, seed=6, num=3, classes=classes, render=render_square)
    np.testing.assert_array_equal(other.images[0], render_square(6)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"seed": 5}, "kept for evaluation"), ({"batch_size": 0}, "batch_size"), ({"learning_rate": 0.0}, "rate")],
)
def test_what_cannot_be_trained_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DetectorTrainConfig(out="x", **changes)
