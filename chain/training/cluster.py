"""The training loop on Ray Train: workers with a gloo process group, DeepSpeed in each, restarts after a death."""

import json
import logging
import os
from dataclasses import asdict

from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import RunFiles
from pancap.chain.training.loop import train
from pancap.chain.training.states import TrainerState
from pancap.configs import StoppedError, UsageError


def train_on_ray(config: TrainConfig, *, files: RunFiles) -> TrainerState:
    """Trains on config.num_workers Ray Train workers of the cluster that `start_ray` found, and waits for the end.

    A worker's death restarts all from the last whole state, config.max_failures times; with config.min_workers on what
    is left of the cluster.

    Raises:
        UsageError: a worker refused its configuration.
        StoppedError: the loss was not finite for too long, or workers died too often.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    files.end.unlink(missing_ok=True)
    num_workers = (config.min_workers, config.num_workers) if config.min_workers else config.num_workers
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"config": config, "files": files},
        torch_config=TorchConfig(backend="gloo" if config.device == "cpu" else "nccl"),
        scaling_config=ScalingConfig(
            num_workers=num_workers, resources_per_worker={"CPU": 1}, use_gpu=config.device == "cuda"
        ),
        run_config=RunConfig(
            name="pancap",
            storage_path=str(files.out / "ray"),
            failure_config=FailureConfig(max_failures=config.max_failures),
        ),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        cause = next((line for line in reversed(str(error).splitlines()) if line.strip()), "no reason given")
        raise StoppedError(
            f"training workers died more than {config.max_failures} times ({cause.strip()[:200]}); "
            "run it again with resume=true"
        ) from error
    return _finished_state(files)


def start_ray(config: TrainConfig) -> None:
    """Connects this process to a Ray cluster, unless it is, which has room for the run's workers.

    Raises:
        UsageError: no cluster has that many CPUs or GPUs.
    """
    import ray

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "local")  # Ray would take any cluster that was left running here
        cpus = max(os.cpu_count() or 1, config.num_workers + 1)
        own = {"num_cpus": cpus, "include_dashboard": False} if address == "local" else {}
        ray.init(address, **own, log_to_driver=False, logging_level=logging.ERROR)
    least, name = (config.min_workers, "min") if config.min_workers else (config.num_workers, "num")
    for kind in ("CPU", "GPU") if config.device == "cuda" else ("CPU",):
        available = int(ray.cluster_resources().get(kind, 0))
        if available < least:
            raise UsageError(f"{name}_workers={least} needs as many {kind}s, the Ray cluster has {available}")


def _finished_state(files: RunFiles) -> TrainerState:
    record = json.loads(files.end.read_text())
    if "error" in record:
        raise {"UsageError": UsageError, "StoppedError": StoppedError}[record["error"]](record["message"])
    return TrainerState(**record["state"])


def train_worker(settings: dict[str, object]) -> None:
    """What each Ray Train worker runs."""
    import torch.distributed as dist

    prepare_deepspeed()
    config, files = settings["config"], settings["files"]
    assert isinstance(config, TrainConfig) and isinstance(files, RunFiles)
    try:
        state = train(config, files=files, use_deepspeed=True)
    except (UsageError, StoppedError) as error:
        # The same on every worker, and no restart would help: told to the driver instead of failing the run.
        record: dict[str, object] = {"error": type(error).__name__, "message": str(error)}
    else:
        record = {"state": asdict(state)}
    if dist.get_rank() == 0:
        partial = files.end.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.replace(files.end)
    dist.barrier()


def prepare_deepspeed() -> None:
    """Makes DeepSpeed quiet, and keeps it from compiling its shared-memory all-reduce.

    That op is built with g++ at the first start, for one to several minutes, and a start that is killed meanwhile
    leaves a lock that the next one waits for without end. Gloo, which DeepSpeed takes instead, needs no build.
    """
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    for name in ("deepspeed", "DeepSpeed"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
