"""On which device a checkpoint runs in this process, and in which number format."""

from pathlib import Path
from typing import Literal

from pancap.chain.config import Device, NumberFormat
from pancap.chain.model import StorageType, checkpoint_folder, read_meta
from pancap.chain.shards import weight_files
from pancap.configs import UsageError

_STORED: dict[str, StorageType] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # as safetensors names them


def choose_device(asked: Device) -> Literal["cpu", "cuda"]:
    """The device that is meant; `auto` takes a GPU where torch sees one.

    Raises:
        UsageError: a GPU is asked for, and torch sees none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if asked == "cuda" and not has_gpu:
        raise UsageError(
            "device=cuda needs a GPU that torch can use, got none; set device=cpu, or install pancap[gpu] on a machine "
            "with one"
        )
    return "cpu" if asked == "cpu" or not has_gpu else "cuda"


def choose_dtype(asked: NumberFormat, *, device: Literal["cpu", "cuda"], checkpoint: str | Path) -> StorageType:
    """The number format that is meant; `auto` is float32 on the CPU, on a GPU that of the checkpoint's files.

    Raises:
        UsageError: no such checkpoint, or its files hold another format than models run in.
    """
    if asked != "auto":
        return asked
    if device == "cpu":
        return "float32"
    from safetensors import safe_open

    folder = checkpoint_folder(checkpoint)
    read_meta(folder)
    file = weight_files(folder)[0]
    with safe_open(file, framework="numpy") as weights:
        stored = weights.get_slice(next(iter(weights.keys()))).get_dtype()
    if stored not in _STORED:
        raise UsageError(f"dtype=auto needs weights in {', '.join(_STORED)}, got {stored} in {file}; set dtype")
    return _STORED[stored]
