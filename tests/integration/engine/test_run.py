"""The engine's graph on Ray Data with stand-in models: quarantine, the same output whatever the workers, kills, starvation."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pancap.caption import Box
from pancap.configs import StoppedError
from pancap.engine.config import EngineConfig
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import UNKNOWN_TAG, Region, TagGuess
from pancap.engine.run import run_engine
from pancap.engine.stages.agree import AgreeStage
from pancap.engine.stages.caption import CaptionStage, VerifyStage
from pancap.engine.stages.curate import CurateStage
from pancap.engine.stages.ground import GroundStage
from pancap.engine.stages.load import LoadStage
from pancap.engine.stages.merge import MergeStage
from pancap.engine.stages.propose import ProposeStage
from pancap.engine.stages.tag import TagStage

ROOT = Path(__file__).resolve().parents[3]
NUM_GOOD = 10


class BrightnessModel:
    """Finds a bright or a dark thing in every image but a black one, and a second one where it is asked for it."""

    name = "stand_in"

    def propose(self, images):
        box = Box(0.1, 0.1, 0.5, 0.5)
        return [[Region(box=box, score=0.9), Region(box=box, score=0.2)] if image.any() else [] for image in images]

    def tag(self, image, boxes):
        tag = "lamp" if image.mean() > 128 else "stone"
        return [TagGuess(tag=tag if index == 0 else UNKNOWN_TAG, score=0.9) for index in range(len(boxes))]

    def ground(self, images, tags):
        box = Box(0.6, 0.6, 0.9, 0.9)
        return [[Detection(tag=tag, box=box, score=0.5, source="second") for tag in wanted] for wanted in tags]

    def caption(self, rgb, detections):
        if rgb[0, 0, 0] == 77:
            raise ValueError("no words for this one")
        corners = [", ".join(f"{value:.3f}" for value in item.box.as_tuple()) for item in detections]
        return " ".join(f"There is a {item.tag} [[{box}]]." for item, box in zip(detections, corners, strict=True))


class SlowModel(BrightnessModel):
    def caption(self, rgb, detections):
        time.sleep(0.05)
        return super().caption(rgb, detections)


def build_with(model):
    return [
        LoadStage(),
        ProposeStage(model),
        TagStage(model, source=model.name, same_tag_max_iou=0.5),
        GroundStage([model], ground_for="tags"),
        MergeStage(max_iou=0.5),
        CaptionStage(model),
        VerifyStage(model, max_iou=0.5),
        AgreeStage(encoder="none"),
        CurateStage(min_agreement=100.0, max_entities=9),
    ]


def build(config):
    return build_with(BrightnessModel())


def build_slow(config):
    return build_with(SlowModel())


@pytest.fixture(scope="module")
def cluster():
    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def png(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Ten fine images, one twice, one black, one the captioner fails on, one cut, one page of HTML."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(NUM_GOOD):
        (folder / f"{number}.png").write_bytes(png(20 * number + 10))
    (folder / "twice.png").write_bytes(png(10))
    (folder / "black.png").write_bytes(png(0))
    (folder / "odd.png").write_bytes(png(77))
    (folder / "cut.png").write_bytes(png(99)[:-30])
    (folder / "page.jpg").write_bytes(b"<html>not found</html>")
    return folder


@pytest.fixture(scope="module")
def finished(cluster, images, tmp_path_factory):
    """A run over all of them, and what it reported."""
    reported = []
    config = configure(images, tmp_path_factory.mktemp("runs") / "out", rows_per_commit=4, num_actors=2)
    summary = run_engine(config, on_progress=lambda *report: reported.append(report), build=build)
    return config, summary, reported


def configure(images, out, **changes):
    return EngineConfig(source=str(images), out=str(out), max_bad_fraction=0.5, **changes)


def test_one_run_keeps_drops_and_quarantines_each_image_once(finished):
    config, summary, reported = finished
    assert summary.num_in == NUM_GOOD + 4
    assert summary.num_kept == NUM_GOOD
    assert summary.dropped == {"no_entities": 1}
    assert summary.quarantined == {"caption/ValueError": 1, "load/broken": 1, "load/not_an_image": 1}
    assert summary.num_duplicates == 1
    assert summary.sources == {"second": NUM_GOOD, "stand_in": NUM_GOOD}
    assert reported[-1] == ("engine", NUM_GOOD + 4, NUM_GOOD + 4)
    kept = pq.read_table(Path(config.out) / "dataset.parquet").to_pylist()
    assert {row["caption"].split()[3] for row in kept} == {"lamp", "stone"}
    assert all(json.loads(row["provenance"])["proposer"] == "nano" for row in kept)
    assert run_engine(config, build=build).is_repeat


def test_the_output_does_not_depend_on_workers_or_blocks(finished, images, tmp_path):
    """R33."""
    other = configure(images, tmp_path / "other", num_actors=1, rows_per_commit=64, batch_size=5)
    run_engine(other, build=build)
    one, two = (Path(config.out) for config in (finished[0], other))
    for name in ("dropped.parquet", "errors.parquet"):
        assert (
            pq.read_table(one / name)
            .drop_columns("provenance")
            .equals(pq.read_table(two / name).drop_columns("provenance"))
        )
    one_kept, two_kept = (pq.read_table(out / "dataset.parquet") for out in (one, two))
    assert one_kept.drop_columns("provenance").equals(two_kept.drop_columns("provenance"))
    assert (one / "export" / "sapancap.json").read_bytes() == (two / "export" / "sapancap.json").read_bytes()


KILLED_DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
import ray, test_run
from ray import cloudpickle
cloudpickle.register_pickle_by_value(test_run)
ray.init(address=sys.argv[2], log_to_driver=False)
from pancap.engine.run import run_engine
config = test_run.configure(sys.argv[3], sys.argv[4], rows_per_commit=4)
run_engine(config, build=test_run.build_slow)
"""


def test_a_killed_driver_loses_and_doubles_nothing(cluster, tmp_path):
    """R1: killed after its first commit, resumed elsewhere; every image once, committed rows not made again."""
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number in range(40):
        (images / f"{number:02d}.png").write_bytes(png(5 * number + 5))
    command = [sys.executable, "-c", KILLED_DRIVER, str(Path(__file__).parent), cluster, str(images), str(out)]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any((out / "work").glob("checkpoint-*/*[0-9].parquet")) or driver.poll() is not None)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert not (out / "manifest.json").exists(), "the driver was done before it could be killed"
    summary = run_engine(configure(images, out, rows_per_commit=4), build=build_slow)
    assert 0 < summary.num_resumed < 40
    assert summary.num_in == 40
    ids = [
        image_id
        for path in (out / "rows").glob("*.parquet")
        for image_id in pq.read_table(path)["image_id"].to_pylist()
    ]
    assert sorted(ids) == sorted(pq.read_table(out / "work" / "index.parquet")["image_id"].to_pylist())


def test_no_free_cpu_stops_with_the_resume_command(cluster, images, tmp_path):
    """R6."""
    import ray

    hog = ray.remote(num_cpus=2)(Hog).remote()
    ray.get(hog.ready.remote())
    try:
        config = configure(images, tmp_path / "out", start_timeout_s=0.5)
        with pytest.raises(StoppedError, match="curate need 1 free CPUs") as caught:
            run_engine(config, build=build)
    finally:
        ray.kill(hog)
    assert "continue with: pancap engine run source=" in str(caught.value)


class Hog:
    def ready(self):
        return True


def wait_until(is_true, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
