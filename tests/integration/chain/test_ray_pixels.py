"""Images decoded by Ray Data give the map that threads give."""

import os
import signal
from dataclasses import replace

import pytest

from pancap.chain.data.datasets import read_training_images
from pancap.chain.training import ray_squares
from pancap.chain.training.pixels import cache_pixels
from pancap.configs import StoppedError


@pytest.fixture(scope="module")
def ray_cluster():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.timeout(600)
def test_the_map_is_the_same_byte_for_byte_when_a_task_is_killed(ray_cluster, scenes_parquet, tmp_path, monkeypatch):
    """R4, R33."""
    mark, write_batch = tmp_path / "killed", ray_squares.write_batch

    def die_once(batch, *, writer):
        if not mark.exists():
            mark.write_text("killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return write_batch(batch, writer=writer)

    monkeypatch.setattr(ray_squares, "write_batch", die_once)
    monkeypatch.setattr(ray_squares, "PIXELS_PER_BLOCK", 3 * 64 * 64)  # eight images in three blocks
    images = read_training_images(scenes_parquet)
    images[3] = replace(images[3], path=tmp_path / "gone.png")
    seen = []
    settings = {"image_px": 48, "on_progress": lambda what, done, total: seen.append((done, total))}
    on_ray = cache_pixels(images, folder=tmp_path / "ray", on_ray=True, **settings)
    in_threads = cache_pixels(images, folder=tmp_path / "threads", **settings)
    assert mark.exists(), "no task died, the test shows less than it says"
    assert on_ray.name == in_threads.name and on_ray.read_bytes() == in_threads.read_bytes()
    assert on_ray.with_suffix(".json").read_text() == in_threads.with_suffix(".json").read_text()
    assert seen == [(8, 8), (8, 8)]


@pytest.mark.timeout(600)
def test_a_failing_task_is_one_sentence_and_leaves_no_half_map(ray_cluster, scenes_parquet, tmp_path, monkeypatch):
    def lose_the_file(batch, *, writer):
        raise OSError("Stale file handle")

    monkeypatch.setattr(ray_squares, "write_batch", lose_the_file)
    with pytest.raises(StoppedError, match="Stale file handle") as caught:
        cache_pixels(read_training_images(scenes_parquet), image_px=48, folder=tmp_path / "map", on_ray=True)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "map").iterdir()) == []
