"""The bench of training with the real Trainer and the real DeepSpeed, in a process of its own."""

import json
import subprocess
import sys

import pytest


def bench(scenes_parquet, *more):
    """A short run with tiny models; its times say nothing, but every way must really have trained."""
    tiny = ["image_px=32", "vision_hidden=24", "vision_layers=1", "text_hidden=32", "text_layers=1", "text_heads=2"]
    settings = [f"data={scenes_parquet}", "batch_size=2", "steps=2", "rounds=1", *(f"model.{size}" for size in tiny)]
    command = [sys.executable, "-m", "pancap.platform.cli", "bench", "training", *settings, *more, "--json"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_the_bench_times_all_ways_on_the_same_images_and_saves_the_same_state(scenes_parquet):
    found = bench(scenes_parquet)
    peer, again, text, tokens = found["throughput"]["ways"].values()
    assert all(way["images_per_s"] > 0 for way in (peer, again, text, tokens))
    assert peer["tokens_per_image"] == again["tokens_per_image"] > text["tokens_per_image"] > tokens["tokens_per_image"]
    assert text["real_share"] == tokens["real_share"] == 1.0 > peer["real_share"]
    assert found["throughput"]["plan_us"] > 0
    saving = found["saving"]
    assert len(saving["held_ms"]) == 3 and all(held["low"] > 0 for held in saving["held_ms"].values())
    assert abs(saving["state_bytes"] - saving["peer_bytes"]) < 0.05 * saving["peer_bytes"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_bench_trains_on_ray_and_under_torchrun(scenes_parquet):
    found = bench(scenes_parquet, "parts=[ray]")
    assert set(found) == {"ray"}
    assert set(found["ray"]["step_ms"]) == {"torchrun", "Ray Train", "torchrun again"}
    assert all(step["median"] > 0 for step in found["ray"]["step_ms"].values())
