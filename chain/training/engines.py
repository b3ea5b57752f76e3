"""Who turns a loss into new weights: plain torch in one process, or DeepSpeed over several workers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pancap.chain.training.config import TrainConfig
from pancap.chain.training.copies import Copies
from pancap.chain.training.encoding import TreeBatch
from pancap.chain.training.loss import LossParts

if TYPE_CHECKING:
    import torch

STATE_TAG = "engine"
WHOLE = "whole"  # nothing shared out: for any number of workers, with or without DeepSpeed


class TrainEngine(Protocol):
    """What the loop asks of an engine."""

    rank: int
    world_size: int
    layout: str
    """Of its state: one can be taken up by any engine that says the same."""

    def forward(self, *batches: TreeBatch) -> LossParts:
        """Loss of this worker's part of the step's images, in one batch or several."""
        ...

    def update(self, loss: "torch.Tensor") -> None:
        """Backward pass and optimizer step."""
        ...

    def set_rate(self, factor: float) -> None:
        """Sets every group's learning rate to this factor of its peak."""
        ...

    def largest(self, value: float) -> float:
        """The largest of all workers' values: what they go by together."""
        ...

    def mean(self, value: float) -> float:
        """The mean of all workers' values."""
        ...

    def weights(self, copies: Copies) -> "Mapping[str, torch.Tensor]":
        """The model's weights or copies of them, adapters apart; every worker calls it, the first one gets them all."""
        ...

    def state(self, folder: Path) -> dict[Path, Any]:
        """What `load` needs, by the file in the folder to write it to; every worker calls it. `update` changes it."""
        ...

    def load(self, folder: Path) -> None:
        """Takes up a saved state; every worker calls it."""
        ...


class PlainEngine:
    """One process, torch's own AdamW; in bfloat16 it steps float32 copies of the weights, as DeepSpeed's does."""

    def __init__(self, step: "torch.nn.Module", *, config: TrainConfig) -> None:
        """Builds the optimizer of a training step."""
        import torch

        self.rank, self.world_size, self.layout = 0, 1, WHOLE
        self._device = torch.device(config.device)
        self._step = step.to(self._device, getattr(torch, config.precision))
        self._clip_norm = config.clip_norm
        groups = parameter_groups(step, config=config)
        self._peaks = {group["name"]: group["lr"] for group in groups}
        self._rounded: list[tuple[torch.Tensor, torch.Tensor]] = []  # (float32 weight, what the model has of it)
        if config.precision != "float32":
            for group in groups:
                exact = [parameter.detach().float() for parameter in group["params"]]
                self._rounded += zip(exact, group["params"], strict=True)
                group["params"] = exact
        self._optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)

    def forward(self, *batches: TreeBatch) -> LossParts:
        """Loss of the batches."""
        loss: LossParts = self._step(*(batch.to(self._device) for batch in batches))
        return loss

    def update(self, loss: "torch.Tensor") -> None:
        """Backward pass, clipping, optimizer step."""
        import torch

        loss.backward()
        for exact, rounded in self._rounded:
            exact.grad = None if rounded.grad is None else rounded.grad.float()
            rounded.grad = None
        weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, self._clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        for exact, rounded in self._rounded:
            rounded.data.copy_(exact)

    def set_rate(self, factor: float) -> None:
        """Sets the learning rates."""
        for group in self._optimizer.param_groups:
            group["lr"] = factor * self._peaks[group["name"]]

    def largest(self, value: float) -> float:
        """The value itself."""
        return value

    def mean(self, value: float) -> float:
        """The value itself."""
        return value

    def weights(self, copies: Copies) -> "Mapping[str, torch.Tensor]":
        """The model's weights."""
        return self._step.get_submodule("model").state_dict()

    def state(self, folder: Path) -> dict[Path, Any]:
        """Weights and optimizer."""
        return _whole_state(self._step, self._optimizer, folder=folder, exact=[exact for exact, _ in self._rounded])

    def load(self, folder: Path) -> None:
        """Reads weights and optimizer."""
        saved = _load_whole(self._step, self._optimizer, folder=folder)
        for (exact, _), value in zip(self._rounded, saved, strict=True):
            exact.copy_(value)


class DeepSpeedEngine:
    """DeepSpeed over the process group that Ray Train has set up."""

    def __init__(self, step: "torch.nn.Module", *, config: TrainConfig) -> None:
        """Initializes DeepSpeed with ZeRO and torch's AdamW."""
        import deepspeed
        import torch.distributed as dist

        self._config = config
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()
        is_whole = config.zero_stage == 0 and config.precision == "float32"
        self.layout = WHOLE if is_whole else f"ZeRO {config.zero_stage} of {self.world_size}"
        groups = parameter_groups(step, config=config)
        self._peaks = {group["name"]: group["lr"] for group in groups}
        self.deepspeed, self._optimizer, _, _ = deepspeed.initialize(
            model=step,
            model_parameters=groups,
            config=deepspeed_config(config, world_size=self.world_size),
            dist_init_required=False,
        )
        self.deepspeed.checkpoint_engine = self._storage = _storage_in_memory()
        self.deepspeed._copy_recovery_script = lambda save_path: None  # the one file written past the storage

    def forward(self, *batches: TreeBatch) -> LossParts:
        """Loss of this worker's images."""
        loss: LossParts = self.deepspeed(*(batch.to(self.deepspeed.device) for batch in batches))
        return loss

    def update(self, loss: "torch.Tensor") -> None:
        """Backward pass with gradients averaged over workers, clipping, optimizer step."""
        self.deepspeed.backward(loss)
        self.deepspeed.step()

    def set_rate(self, factor: float) -> None:
        """Sets the learning rates."""
        for group, peak in zip(self._optimizer.param_groups, self._peaks.values(), strict=True):
            group["lr"] = factor * peak

    def largest(self, value: float) -> float:
        """One all-reduce."""
        import torch.distributed as dist

        return self._reduced(value, op=dist.ReduceOp.MAX)

    def mean(self, value: float) -> float:
        """One all-reduce."""
        import torch.distributed as dist

        return self._reduced(value / self.world_size, op=dist.ReduceOp.SUM)

    def _reduced(self, value: float, *, op: Any) -> float:
        import torch
        import torch.distributed as dist

        shared = torch.tensor([value], dtype=torch.float64, device=self.deepspeed.device)
        dist.all_reduce(shared, op=op)
        return float(shared.item())

    def weights(self, copies: Copies) -> "Mapping[str, torch.Tensor]":
        """The model's weights on the first worker; with ZeRO 3 they are collected one after another."""
        import deepspeed

        model = self.deepspeed.module.get_submodule("model")
        whole: dict[str, torch.Tensor] = {}
        if self._config.zero_stage < 3:
            return model.state_dict() if self.rank == 0 else whole
        for name, parameter in model.named_parameters():
            with deepspeed.zero.GatheredParameters([parameter]):
                if self.rank == 0:
                    whole[name] = copies.tensor(parameter)
        return whole

    def state(self, folder: Path) -> dict[Path, Any]:
        """Trained weights (first worker) and this worker's share of the optimizer, as DeepSpeed saves them."""
        if self.layout == WHOLE:
            return _whole_state(self.deepspeed.module, self._optimizer, folder=folder) if self.rank == 0 else {}
        self._storage.files = {}
        self.deepspeed.save_checkpoint(str(folder), tag=STATE_TAG, save_latest=False, exclude_frozen_parameters=True)
        files: dict[Path, Any] = self._storage.files
        return files

    def load(self, folder: Path) -> None:
        """Reads weights and this worker's share of the optimizer."""
        if self.layout == WHOLE:
            _load_whole(self.deepspeed.module, self._optimizer, folder=folder)
            return
        self.deepspeed.load_checkpoint(str(folder), tag=STATE_TAG, load_module_strict=False)


def _whole_state(
    step: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    *,
    folder: Path,
    exact: "Sequence[torch.Tensor]" = (),
) -> dict[Path, Any]:
    content = {"step": step.state_dict(), "optimizer": optimizer.state_dict(), "exact": list(exact)}
    return {folder / f"{STATE_TAG}.pt": content}


def _load_whole(
    step: "torch.nn.Module", optimizer: "torch.optim.Optimizer", *, folder: Path
) -> "Sequence[torch.Tensor]":
    """Takes up weights and optimizer; returns the float32 copies of rounded weights, if there are any."""
    import torch

    state = torch.load(folder / f"{STATE_TAG}.pt", weights_only=True, map_location="cpu")
    step.load_state_dict(state["step"])
    optimizer.load_state_dict(state["optimizer"])
    exact: Sequence[torch.Tensor] = state["exact"]
    return exact


def _storage_in_memory() -> Any:
    """What DeepSpeed hands a checkpoint's files to: keeps what would be in them, and writes nothing.

    DeepSpeed's own engine that writes beside the training (`checkpoint.writer.decoupled`) makes no copies: the next
    optimizer step waits until all is written. It writes in another process, and only prints the errors met there.
    """
    from deepspeed.runtime.checkpoint_engine import TorchCheckpointEngine

    class StorageInMemory(TorchCheckpointEngine):  # type: ignore[misc]
        files: dict[Path, Any]

        def makedirs(self, path: str, exist_ok: bool = False) -> None:
            pass

        def save(self, state_dict: Any, path: str) -> None:
            self.files[Path(path)] = state_dict

    return StorageInMemory()


def parameter_groups(step: "torch.nn.Module", *, config: TrainConfig) -> list[dict[str, Any]]:
    """Trained parameters in two groups: vision tower and projector at their own rate, and the rest.

    The tower's features are large (root mean square 5 to 8, no norm before the projector): at the language model's
    rate one step moves the projector's output by about 1, which drowns the image tokens' own content.
    """
    trained = {name: parameter for name, parameter in step.named_parameters() if parameter.requires_grad}
    is_vision = {name: "vision_tower" in name or "multi_modal_projector" in name for name in trained}
    vision = [parameter for name, parameter in trained.items() if is_vision[name]]
    rest = [parameter for name, parameter in trained.items() if not is_vision[name]]
    return [
        {"name": "vision", "params": vision, "lr": config.vision_lr},
        {"name": "language", "params": rest, "lr": config.lr},
    ]


def deepspeed_config(config: TrainConfig, *, world_size: int) -> dict[str, Any]:
    """DeepSpeed's own configuration for this run: precision, ZeRO, AdamW of torch."""
    place = {"device": "cpu", "pin_memory": config.device == "cuda"}
    offload = {
        "none": {},
        "optimizer": {"offload_optimizer": place},
        "all": {"offload_optimizer": place, "offload_param": place},
    }[config.offload]
    return {
        "train_micro_batch_size_per_gpu": config.batch_size // world_size,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.clip_norm,
        "steps_per_print": 10**9,
        "optimizer": {
            "type": "AdamW",
            "params": {"lr": config.lr, "weight_decay": config.weight_decay, "torch_adam": True},
        },
        "bf16": {"enabled": config.precision == "bfloat16"},
        "zero_optimization": {"stage": config.zero_stage, **offload},
        "zero_force_ds_cpu_optimizer": False,
    }
