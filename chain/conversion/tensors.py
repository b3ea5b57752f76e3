"""Tensors of a folder by name, each read when it is asked for, from safetensors or torch files."""

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch

MODEL_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor on disk: its shape, and how to get it."""

    shape: tuple[int, ...]
    read: "Callable[[], torch.Tensor]"


def read_folder(folder: Path, *, names: Sequence[str] = MODEL_FILES) -> dict[str, StoredTensor]:
    """All tensors of the first of `names` that is there, whole or as the shards of its index.

    Raises:
        UsageError: none of them is there, or a file is missing, cut or not what its name says.
    """
    for name in names:
        if (folder / name).is_file():
            return read_file(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _read_shards(folder / f"{name}.index.json")
    raise UsageError(f"{folder} has neither {' nor '.join(names)} (nor an index of it); give the checkpoint's folder")


def read_file(path: Path) -> dict[str, StoredTensor]:
    """All tensors of a file; of pickled files weights alone, no objects (R29).

    Raises:
        UsageError: the file is cut, or holds something else.
    """
    from safetensors import SafetensorError

    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise UsageError(f"{path} cannot be read: {reason}; copy it again") from error


def _read_safetensors(path: Path) -> dict[str, StoredTensor]:
    from safetensors import safe_open

    file = safe_open(str(path), framework="pt")

    def stored(name: str) -> StoredTensor:
        return StoredTensor(shape=tuple(file.get_slice(name).get_shape()), read=lambda: file.get_tensor(name))

    return {name: stored(name) for name in file.keys()}  # noqa: SIM118 (a file of safetensors is no mapping)


def _read_pickled(path: Path) -> dict[str, StoredTensor]:
    """Tensors stay in the file until they are used (`mmap`)."""
    import torch

    held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(held, dict) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise ValueError("it does not hold tensors by name")

    def stored(tensor: torch.Tensor) -> StoredTensor:
        return StoredTensor(shape=tuple(tensor.shape), read=lambda: tensor)

    return {name: stored(tensor) for name, tensor in held.items()}


def _read_shards(index: Path) -> dict[str, StoredTensor]:
    try:
        listed = json.loads(index.read_text())["weight_map"]
        files = sorted(set(listed.values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(f"{index} cannot be read: {type(error).__name__}; copy it again") from error
    found: dict[str, StoredTensor] = {}
    for name in files:
        if Path(name).name != name:
            raise UsageError(f"{index} names {name}, which lies elsewhere; its files must lie beside it")
        found |= read_file(index.parent / name)
    absent = [name for name in listed if name not in found]
    if absent:
        raise UsageError(f"{index} lists {len(absent)} tensors that its files lack ({absent[0]}); copy them again")
    return found
