"""Weights on disk as transformers and vLLM read them: one safetensors file, or several with an index."""

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
# As transformers writes them: small enough to send and to keep in memory one at a time.
MAX_SHARD_BYTES = 5_000_000_000


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights.

    Raises:
        OSError: neither model.safetensors nor an index is there.
        ValueError: the index cannot be read, or names what is no safetensors file of this folder.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise FileNotFoundError(errno.ENOENT, "no weights", str(folder / WEIGHTS_FILE))
    try:
        names = set(json.loads((folder / INDEX_FILE).read_text())["weight_map"].values())
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{INDEX_FILE} has no weight_map") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ValueError(f"{INDEX_FILE} names {name!r}, which is no safetensors file beside it")
    return [folder / name for name in sorted(names)]


def write_weights(
    folder: Path,
    *,
    sizes: Mapping[str, int],
    read: "Callable[[str], torch.Tensor]",
    max_bytes: int = MAX_SHARD_BYTES,
) -> list[Path]:
    """Writes tensors as one file or, above `max_bytes`, as shards with an index; one shard is in memory at a time.

    Args:
        folder: exists; weights of an earlier checkpoint in it are removed.
        sizes: bytes of every tensor by name, in the order of writing.
        read: gives a tensor, contiguous, on the CPU.
        max_bytes: a shard is not larger, unless it holds one tensor that is.

    Returns:
        The weight files.

    Raises:
        OSError: they cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    for old in [folder / WEIGHTS_FILE, *folder.glob("model-*-of-*.safetensors"), folder / INDEX_FILE]:
        old.unlink(missing_ok=True)
    shards = plan_shards(sizes, max_bytes=max_bytes)
    files = [
        folder / (WEIGHTS_FILE if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors")
        for number in range(1, len(shards) + 1)
    ]
    for file, names in zip(files, shards, strict=True):
        try:
            save_file({name: read(name) for name in names}, str(file), metadata={"format": "pt"})
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error), str(file)) from error
        file.chmod(0o666 & ~_umask())  # safetensors writes for the owner alone
    if len(shards) > 1:
        held = {name: file.name for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": held}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n")
    return files


def _umask() -> int:
    """Of this process; it can only be asked for by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def plan_shards(sizes: Mapping[str, int], *, max_bytes: int) -> list[list[str]]:
    """Names in order, cut into groups of at most `max_bytes`.

    Example:
        >>> plan_shards({"a": 3, "b": 2, "c": 9, "d": 1}, max_bytes=5)
        [['a', 'b'], ['c'], ['d']]
    """
    shards: list[list[str]] = [[]]
    held = 0
    for name, size in sizes.items():
        if shards[-1] and held + size > max_bytes:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += size
    return shards
