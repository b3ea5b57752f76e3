"""DeepSpeed's ways to share out a model, two workers each, in one pair of processes."""

import json
import os
import subprocess
import sys

import pytest
import torch

from pancap.chain.config import ModelConfig
from pancap.chain.model import load_checkpoint
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.run import run_training

TINY = ModelConfig(
    coordinates="text", image_px=32, patch_px=16, vision_hidden=16, vision_layers=1, vision_heads=1, vision_mlp=16,
    text_hidden=16, text_layers=2, text_heads=1, text_mlp=16, vocabulary_size=300,
)  # fmt: skip
WAYS = {
    "zero_0": {"zero_stage": 0},
    "zero_1": {"zero_stage": 1},
    "zero_2": {"zero_stage": 2},
    "zero_3": {"zero_stage": 3},
    "zero_2_offloaded": {"zero_stage": 2, "offload": "optimizer"},
    "zero_3_offloaded": {"zero_stage": 3, "offload": "all"},
    "zero_3_recomputed": {"zero_stage": 3, "gradient_checkpointing": True},
    "bfloat16": {"zero_stage": 2, "precision": "bfloat16"},
    "lora_2": {"zero_stage": 2, "lora": {"rank": 4, "alpha": 8}},
    "lora_dropout": {"zero_stage": 1, "lora": {"rank": 4, "alpha": 8, "dropout": 0.5}},
    "lora_3": {"zero_stage": 3, "lora": {"rank": 4, "alpha": 8}},
}
WORKER = """
import json, shutil, sys
from pathlib import Path
import torch.distributed as dist
from pancap.chain.training.cluster import prepare_deepspeed
from pancap.chain.training.config import LoraConfig, TrainConfig
from pancap.chain.training.files import RunFiles
from pancap.chain.training.loop import train

rank, folder = int(sys.argv[1]), Path(sys.argv[2])
prepare_deepspeed()
dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
pixels = next((folder / "cache").glob("*.npy"))
for name, settings in json.loads(sys.argv[3]).items():
    settings["lora"] = LoraConfig(**settings.get("lora", {}))
    config = TrainConfig(
        data=sys.argv[4], out=str(folder / name), steps=5, batch_size=4, num_workers=2, log_every=1,
        checkpoint_every=3, lr=1e-2, **settings,
    )
    files = RunFiles(out=folder / name, data=Path(config.data), pixels=pixels)
    train(config, files=files, use_deepspeed=True)
    if rank == 0:  # as if killed while it wrote its last state
        files.checkpoint.rename(folder / name / "straight")
        shutil.rmtree(files.states / "step_0000005")
    dist.barrier()
    train(config, files=files, use_deepspeed=True)
"""


@pytest.fixture(scope="module")
def runs(scenes_parquet, tmp_path_factory):
    """Folder of a run for each way, from one start."""
    folder = tmp_path_factory.mktemp("zero")
    start = TrainConfig(
        data=str(scenes_parquet), out=str(folder / "start"), model=TINY, steps=1, batch_size=4, num_workers=0,
        cache=str(folder / "cache"),
    )  # fmt: skip
    run_training(start)
    for name in WAYS:
        (folder / name).mkdir()
        (folder / name / "start").symlink_to(folder / "start" / "start")
    environment = {**os.environ, "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(folder), json.dumps(WAYS), str(scenes_parquet)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for worker in workers:
            _, errors = worker.communicate(timeout=800)
            assert worker.returncode == 0, errors[-3000:]
    finally:
        for worker in workers:
            worker.kill()
    return folder


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder):
    return load_checkpoint(folder).model.state_dict()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("way", "like", "tolerance"),
    [
        *[(f"zero_{stage}", "zero_0", 1e-5) for stage in (1, 2, 3)],
        ("zero_2_offloaded", "zero_0", 1e-5),
        ("zero_3_offloaded", "zero_0", 1e-5),
        ("zero_3_recomputed", "zero_0", 1e-5),
        ("lora_3", "lora_2", 1e-5),
        ("bfloat16", "zero_0", 2e-2),
    ],
)
def test_every_way_trains_the_same_model(runs, way, like, tolerance):
    assert losses(runs / way) == pytest.approx(losses(runs / like), rel=tolerance)
    theirs = weights(runs / like / "straight")
    ours = weights(runs / way / "straight")
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert torch.allclose(value, theirs[name], rtol=tolerance, atol=10 * tolerance), name


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_bit_for_bit_as_the_one_in_a_piece(runs, way):
    """T4: three steps, a state, two steps more, on both workers."""
    straight, resumed = (weights(runs / way / name) for name in ("straight", "checkpoint"))
    assert straight.keys() == resumed.keys()
    assert [name for name in straight if not torch.equal(straight[name], resumed[name])] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_moves_the_loss(runs):
    """The comparisons above would hold for workers that do nothing."""
    for way in WAYS:
        first, *_, last = losses(runs / way)
        assert last < first - 0.01
