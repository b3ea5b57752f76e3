"""The training loop without Ray: what `pancap bench training parts=[ray]` measures Ray Train against.

    python -m torch.distributed.run --nproc_per_node=2 -m pancap.chain.bench.torchrun_peer PIXELS data=... out=...

Needs OUT/start, a checkpoint, and the decoded images in the file PIXELS.
"""

import sys
from pathlib import Path

from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles
from pancap.configs import load_config


def main(pixels: str, *overrides: str) -> None:
    """Trains as a worker of Ray Train would."""
    import torch.distributed as dist

    from pancap.chain.training.cluster import prepare_deepspeed
    from pancap.chain.training.loop import train

    config, _ = load_config(TrainConfig, overrides=overrides)
    prepare_deepspeed()
    dist.init_process_group("gloo" if config.device == "cpu" else "nccl")
    files = RunFiles(out=Path(config.out), data=Path(config.data), pixels=Path(pixels))
    train(config, files=files, use_deepspeed=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
