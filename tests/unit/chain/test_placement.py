"""Device and number format of backend transformers."""

from dataclasses import replace

import numpy as np
import pytest

from pancap.chain.config import CaptionConfig
from pancap.chain.loading import describe_run, open_captioner
from pancap.chain.model import save_checkpoint
from pancap.chain.placement import choose_device, choose_dtype
from pancap.chain.shards import weight_files
from pancap.configs import UsageError


@pytest.fixture
def folder(token_checkpoint, tmp_path):
    model, tokenizer = token_checkpoint.model, token_checkpoint.tokenizer
    return save_checkpoint(model, tokenizer=tokenizer, directory=tmp_path / "model", meta=token_checkpoint.meta)


@pytest.fixture(params=[True, False])
def has_gpu(request, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: request.param)
    return request.param


def test_a_gpu_is_taken_where_there_is_one_and_refused_where_there_is_none(has_gpu):
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if has_gpu else "cpu")
    if has_gpu:
        assert choose_device("cuda") == "cuda"
    else:
        with pytest.raises(UsageError, match="device=cuda needs a GPU that torch can use, got none; set device=cpu"):
            choose_device("cuda")


@pytest.mark.parametrize("stored", ["float32", "float16", "bfloat16"])
def test_a_gpu_takes_the_format_of_the_files_and_the_cpu_float32(token_checkpoint, tmp_path, stored):
    """13 billion weights in float16 have room on a GPU of 40 GB, in float32 they have not."""
    model, tokenizer = token_checkpoint.model, token_checkpoint.tokenizer
    folder = save_checkpoint(
        model, tokenizer=tokenizer, directory=tmp_path / "model", meta=token_checkpoint.meta, storage=stored
    )
    assert choose_dtype("auto", device="cuda", checkpoint=folder) == stored
    assert choose_dtype("auto", device="cpu", checkpoint=folder) == "float32"
    assert choose_dtype("bfloat16", device="cuda", checkpoint=folder) == "bfloat16"


def test_weights_that_no_model_runs_in_are_refused(folder):
    from safetensors.numpy import save_file

    (file,) = weight_files(folder)
    save_file({"weight": np.zeros(1, np.int8)}, file)
    with pytest.raises(UsageError, match=r"dtype=auto needs weights in F32, F16, BF16, got I8 in .*; set dtype"):
        choose_dtype("auto", device="cuda", checkpoint=folder)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_model_in_half_precision_writes_good_boxes_on_the_cpu(folder, pictures, begins_boxes, dtype):
    config = CaptionConfig(model=str(folder), images="photos", device="cpu", dtype=dtype)
    with open_captioner(config) as captioner, begins_boxes(captioner.backend.checkpoint):
        assert str(captioner.backend.checkpoint.model.dtype) == f"torch.{dtype}"
        (result,) = captioner.caption(pictures[:1])
    assert (result.error, result.dropped) == ("", {})
    assert result.entities and all(value is not None for value in result.confidences)


def test_another_number_format_is_another_run_another_device_is_not(folder, monkeypatch):
    """Captions of two formats differ here and there; folders of results must not mix them."""
    config = CaptionConfig(model=str(folder), images="photos")
    run = describe_run(config, mode="chain")
    assert run["dtype"] == "float32"
    assert describe_run(replace(config, dtype="bfloat16"), mode="chain") == {**run, "dtype": "bfloat16"}
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert describe_run(config, mode="chain") == run  # the files hold float32


def test_device_and_dtype_are_refused_where_they_have_no_effect():
    with pytest.raises(
        ValueError, match=r"for backend=transformers, got .*dtype=bfloat16 with backend=vllm; .*vllm\.dtype"
    ):
        CaptionConfig(model="nano", images="photos", backend="vllm", dtype="bfloat16")
