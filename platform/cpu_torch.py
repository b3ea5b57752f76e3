"""Lets torchvision, torchaudio and what needs torchcodec load beside a CPU-only PyTorch.

Their wheels on the package index are built for CUDA. With a CPU build of PyTorch their compiled operators do not
load: `import torchvision` raises `operator torchvision::nms does not exist`, `import torchaudio` an `OSError` over
`libc10_cuda.so`, and with them every model class of transformers and every multimodal model of vLLM fails to import.
PyTorch runs the entry points of group `torch.backends` at the end of `import torch`, in every process; `register` is
one of them (see `pyproject.toml`). It defines the operators that torchvision's Python code needs at import (`nms` with
a real CPU implementation), makes torchaudio run without its compiled part, and makes torchcodec, which vLLM can do
without, fail with the ImportError that vLLM expects.
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_LIBRARIES: list[Any] = []  # torch.library drops the definitions when the Library object is collected


def register() -> None:
    """Makes CUDA-built wheels importable, or harmless; does nothing where torch has CUDA."""
    import torch

    if torch.version.cuda is not None:
        return
    if find_spec("torchvision") is not None and not torch._C._dispatch_has_kernel("torchvision::nms"):
        _LIBRARIES.append(_define_torchvision_ops())
    sys.meta_path.insert(0, _GuardingFinder())


def greedy_nms(boxes_N4: Any, scores_N: Any, iou_threshold: float) -> Any:
    """Greedy non-maximum suppression, as torchvision's CPU operator does it.

    Args:
        boxes_N4: float tensor, corners in any one unit.
        scores_N: float tensor.
        iou_threshold: a box overlapping a kept one by more than this is dropped.

    Returns:
        int64 tensor of the kept indices, by falling score.
    """
    import torch

    order = scores_N.argsort(descending=True, stable=True)
    areas_N = (boxes_N4[:, 2] - boxes_N4[:, 0]) * (boxes_N4[:, 3] - boxes_N4[:, 1])
    kept = []
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        top_left = torch.maximum(boxes_N4[order, :2], boxes_N4[best, :2])
        bottom_right = torch.minimum(boxes_N4[order, 2:], boxes_N4[best, 2:])
        inter = (bottom_right - top_left).clamp(min=0).prod(dim=1)
        order = order[inter <= iou_threshold * (areas_N[best] + areas_N[order] - inter)]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64, device=boxes_N4.device)


def _define_torchvision_ops() -> Any:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", greedy_nms, "CPU")
    return library


class _GuardingFinder(MetaPathFinder):
    """Loads some modules with a guard around their execution."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Answers for the modules of `_GUARDS` only."""
        guard = _GUARDS.get(fullname)
        spec = PathFinder.find_spec(fullname, path) if guard else None
        if guard is not None and spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(guard, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _run_torchaudio_utils(run_module: Callable[[ModuleType], None], module: ModuleType) -> None:
    """torchaudio runs without its compiled part when the file is missing, but not when it fails to load."""
    run_module(module)
    module._load_lib = _absent_if_unloadable(module._load_lib)  # type: ignore[attr-defined]


def _run_torchcodec(run_module: Callable[[ModuleType], None], module: ModuleType) -> None:
    """vLLM goes on without torchcodec when its import fails as imports do, but not on an OSError."""
    try:
        run_module(module)
    except OSError as error:
        raise ImportError(f"torchcodec is built for CUDA, this PyTorch is not ({error})") from error


_GUARDS: dict[str, Callable[[Callable[[ModuleType], None], ModuleType], None]] = {
    "torchaudio._extension.utils": _run_torchaudio_utils,
    "torchcodec": _run_torchcodec,
}


def _absent_if_unloadable(load_lib: Callable[[str], bool]) -> Callable[[str], bool]:
    def load(lib: str) -> bool:
        try:
            return load_lib(lib)
        except OSError:
            return False

    return load
