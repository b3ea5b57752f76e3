"""The bench of training with the real Trainer and the real DeepSpeed, in a process of its own."""

import json
import subprocess
import sys


def test_the_bench_times_all_ways_on_the_same_images(scenes_parquet):
    """A short run with tiny models; its times say nothing, but every way must really have trained."""
    tiny = ["image_px=32", "vision_hidden=24", "vision_layers=1", "text_hidden=32", "text_layers=1", "text_heads=2"]
    settings = [f"data={scenes_parquet}", "batch_size=2", "steps=2", "rounds=1", *(f"model.{size}" for size in tiny)]
    command = [sys.executable, "-m", "pancap.platform.cli", "bench", "training", *settings, "--json"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    peer, again, text, tokens = json.loads(run.stdout.splitlines()[-1])["ways"].values()
    assert all(way["images_per_s"] > 0 for way in (peer, again, text, tokens))
    assert peer["tokens_per_image"] == again["tokens_per_image"] > text["tokens_per_image"] > tokens["tokens_per_image"]
    assert text["real_share"] == tokens["real_share"] == 1.0 > peer["real_share"]
