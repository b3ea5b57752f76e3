"""A run on a JSON is the run on the parquet that it was made from, and keeps its rows."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pancap.chain.data.datasets import read_training_images
from pancap.chain.data.llava_json import export_llava
from pancap.chain.model import read_meta
from pancap.chain.training import run
from pancap.chain.training.config import TrainConfig, VisionTrainConfig
from pancap.chain.training.pixels import cache_pixels
from pancap.chain.training.rows import keep_rows, read_kept, rows_path
from pancap.chain.training.run import run_training
from pancap.chain.training.states import MANIFEST
from pancap.chain.training.vision import train_vision
from pancap.configs import UsageError


@pytest.fixture
def pictures_folder(squares_parquet, tmp_path):
    """A copy of the images, which the test may take away."""
    return shutil.copytree(squares_parquet.parent / "images", tmp_path / "images")


@pytest.fixture
def llava(squares_parquet, pictures_folder, tmp_path):
    images = read_training_images(squares_parquet)
    export_llava([replace(image, path=pictures_folder / image.path.name) for image in images], tmp_path / "llava.json")
    return tmp_path / "llava.json"


@pytest.fixture
def config(llava, tiny_model, tmp_path):
    return TrainConfig(
        data=str(llava), images=str(tmp_path), out=str(tmp_path / "run"), model=tiny_model, steps=4, batch_size=4,
        num_workers=0, log_every=1, checkpoint_every=2,
    )  # fmt: skip


def losses(out):
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines]


def test_losses_on_an_export_are_those_on_its_parquet(config, squares_parquet, tmp_path):
    summary = run_training(config)
    assert read_meta(summary.checkpoint).provenance["data"] == config.data
    run_training(replace(config, data=str(squares_parquet), images=None, out=str(tmp_path / "parquet")))
    assert losses(tmp_path / "run") == losses(tmp_path / "parquet")


def test_a_resumed_run_has_its_rows_still_when_images_have_gone(config, pictures_folder, tmp_path):
    """Read anew, the JSON would give others, in another order."""
    whole = run_training(replace(config, out=str(tmp_path / "whole")))
    run_training(replace(config, steps=2))
    shutil.rmtree(pictures_folder)
    resumed = run_training(replace(config, resume=True))
    assert (resumed.resumed_from, resumed.steps) == (2, 4)
    assert resumed.last["loss"] == pytest.approx(whole.last["loss"], rel=0.05)


def test_a_vision_tower_learns_from_a_json_too(config, tmp_path):
    tower = VisionTrainConfig(
        data=config.data, images=config.images, out=str(tmp_path / "tower"), model=config.model, steps=2, batch_size=4,
        num_threads=1,
    )  # fmt: skip
    assert train_vision(tower).steps == 2
    assert (tmp_path / "tower" / "vision.safetensors").is_file()


def test_images_are_never_trained_on_with_the_pixels_of_others(config, monkeypatch):
    """A row left out between the driver's reading and the workers' would shift every later image onto wrong pixels."""
    monkeypatch.setattr(run, "cache_pixels", lambda images, **settings: cache_pixels(images[1:], **settings))
    with pytest.raises(UsageError, match=r"has 12 images, .* the pixels of 11"):
        run_training(config)


def test_pixels_are_decoded_from_the_rows_that_workers_read(config):
    """An image that came from the JSON but not from the kept rows shifted the pixels of all later ones."""
    images = read_training_images(config.data, images=config.images)
    images[3] = replace(images[3], caption="")
    kept = keep_rows(images, config=config)
    assert kept == read_training_images(rows_path(config)) == images[:3] + images[4:]


@pytest.fixture
def stopped(config):
    """A run that has a state to resume from."""
    keep_rows(read_training_images(config.data, images=config.images), config=config)
    state = Path(config.out) / "state" / "step_0000002"
    state.mkdir(parents=True)
    (state / MANIFEST).write_text('{"step": 2}')
    return replace(config, resume=True)


@pytest.mark.parametrize("name", ["data", "images", "limit"])
def test_resuming_with_other_data_is_refused_with_the_difference(name, stopped, squares_parquet, tmp_path):
    """R2: it went on with the old data, whatever was asked for."""
    values = {"data": str(squares_parquet), "images": str(tmp_path / "images"), "limit": 3}
    was, now = (str(value) for value in (getattr(stopped, name), values[name]))
    with pytest.raises(UsageError, match="was started with") as caught:
        run_training(replace(stopped, **{name: values[name]}))
    assert f"{name} {was}, now {now}" in str(caught.value) and "\n" not in str(caught.value)


def test_resuming_with_a_json_of_other_content_is_refused(stopped, llava):
    assert len(read_kept(stopped)) == 12
    llava.write_text(llava.read_text().replace("square", "circle", 1))
    with pytest.raises(UsageError, match=r"was started with digest \w+, now \w+;"):
        run_training(stopped)


def test_resuming_with_a_parquet_of_other_images_is_refused(config, squares_parquet, tmp_path):
    """As many of them, in another order: the pixels decoded before are not theirs, row by row."""
    table = pq.read_table(squares_parquet)
    config = replace(config, data=str(tmp_path / "rows.parquet"), images=None)
    pq.write_table(table, config.data)
    keep_rows(read_training_images(config.data), config=config)
    assert len(read_kept(config)) == 12
    pq.write_table(table.take(list(reversed(range(12)))), config.data)
    with pytest.raises(UsageError, match=r"was started with digest \w+, now \w+;"):
        read_kept(config)


def test_a_run_that_kept_no_source_is_resumed(stopped):
    """Runs of earlier versions have none."""
    (Path(stopped.out) / "source.json").unlink()
    assert len(read_kept(stopped)) == 12
