"""The entry point that lets CUDA-built torchvision and torchaudio load beside a CPU-only PyTorch."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from pancap.platform.cpu_torch import greedy_nms


def brute_force_nms(boxes, scores, threshold):
    def iou(a, b):
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
        return width * height / (sum(areas) - width * height)

    kept = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[index], boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("num", [1, 7, 60])
def test_nms_keeps_what_brute_force_keeps(num, threshold):
    generator = torch.Generator().manual_seed(num)
    corners = torch.rand(num, 2, generator=generator, dtype=torch.float64)
    boxes = torch.cat([corners, corners + 0.05 + torch.rand(num, 2, generator=generator, dtype=torch.float64)], dim=1)
    scores = torch.rand(num, generator=generator)
    kept = greedy_nms(boxes, scores, threshold)
    assert kept.dtype == torch.int64
    assert kept.tolist() == brute_force_nms(boxes.tolist(), scores.tolist(), threshold)


def test_nms_of_nothing_is_nothing():
    assert greedy_nms(torch.empty(0, 4), torch.empty(0), 0.5).tolist() == []


@pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
def test_torchvision_imports_and_suppresses_in_a_fresh_process():
    program = (
        "import torchvision, torch\n"
        "boxes = torch.tensor([[0., 0., 1., 1.], [0., 0., 1., .9], [2., 2., 3., 3.]])\n"
        "print(torch.ops.torchvision.nms(boxes, torch.tensor([.9, .8, .7]), .5).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0, 2]"


@pytest.mark.skipif(find_spec("torchaudio") is None, reason="needs torchaudio")
def test_torchaudio_imports_in_a_fresh_process():
    done = subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("torchcodec") is None, reason="needs torchcodec")
def test_torchcodec_loads_or_fails_as_an_import_in_a_fresh_process():
    program = "import torch\ntry:\n    import torchcodec\nexcept ImportError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
