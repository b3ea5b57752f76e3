"""Lets torchvision and torchaudio load beside a CPU-only PyTorch.

Their wheels on the package index are built for CUDA. With a CPU build of PyTorch their compiled operators do not
load: `import torchvision` raises `operator torchvision::nms does not exist`, `import torchaudio` an `OSError` over
`libc10_cuda.so`, and with them every model class of transformers and every multimodal model of vLLM fails to import.
PyTorch runs the entry points of group `torch.backends` at the end of `import torch`, in every process; `register` is
one of them (see `pyproject.toml`). It defines the operators that torchvision's Python code needs at import (`nms` with
a real CPU implementation) and makes torchaudio run without its compiled part.
"""

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_LIBRARIES: list[Any] = []  # torch.library drops the definitions when the Library object is collected


def register() -> None:
    """Makes CUDA-built torchvision and torchaudio importable; does nothing where torch has CUDA."""
    import torch

    if torch.version.cuda is not None:
        return
    if find_spec("torchvision") is not None and not torch._C._dispatch_has_kernel("torchvision::nms"):
        _LIBRARIES.append(_define_torchvision_ops())
    if find_spec("torchaudio") is not None:
        sys.meta_path.insert(0, _TorchaudioExtensionFinder())


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


class _TorchaudioExtensionFinder(MetaPathFinder):
    """Loads `torchaudio._extension.utils`, then lets a library that cannot load count as absent.

    torchaudio runs without its compiled part when the file is missing, but not when it fails to load.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Answers for that one module only."""
        if fullname != "torchaudio._extension.utils":
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            run_module = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run_module(module)
                module._load_lib = _absent_if_unloadable(module._load_lib)  # type: ignore[attr-defined]

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _absent_if_unloadable(load_lib: Callable[[str], bool]) -> Callable[[str], bool]:
    def load(lib: str) -> bool:
        try:
            return load_lib(lib)
        except OSError:
            return False

    return load
