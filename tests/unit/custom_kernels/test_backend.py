import importlib.util
import logging
import subprocess
import sys

import pytest
import torch

from pancap.custom_kernels import backend
from pancap.custom_kernels.pairwise_iou import pairwise_iou


def test_importing_the_package_loads_neither_torch_nor_triton():
    program = "import sys, pancap.custom_kernels; print([m for m in ('torch', 'triton', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bench_of_every_op_loads_with_torch_alone():
    """A GPU machine may have torch and triton and nothing else; once the reference of nms asked for numpy there."""
    program = """
import sys
for name in ("numpy", "scipy", "PIL", "pyarrow", "omegaconf", "typer", "rich"):
    sys.modules[name] = None
from importlib import import_module
from pancap.custom_kernels.bench.run import OPS
print([import_module(f"pancap.custom_kernels.{op}.bench").__name__.split(".")[2] for op in OPS] == list(OPS))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_auto_takes_torch_on_the_cpu_and_says_so_once(caplog):
    backend._say_once.cache_clear()
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with caplog.at_level(logging.INFO, logger="pancap.custom_kernels.backend"):
        pairwise_iou(boxes, boxes)
        pairwise_iou(boxes, boxes)
    assert [record.getMessage() for record in caplog.records] == ["pairwise_iou runs on torch (tensors on cpu)"]


def test_triton_is_refused_where_it_cannot_run(monkeypatch):
    monkeypatch.setattr(backend, "is_interpreting", lambda: False)
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    if importlib.util.find_spec("triton"):
        with pytest.raises(ValueError, match="needs CUDA tensors, got cpu"):
            pairwise_iou(boxes, boxes, backend="triton")
    monkeypatch.setattr(backend, "_has_triton", lambda: False)
    with pytest.raises(ValueError, match="needs the triton package"):
        pairwise_iou(boxes, boxes, backend="triton")
    with pytest.raises(ValueError, match="must be auto, triton or torch"):
        pairwise_iou(boxes, boxes, backend="cuda")
