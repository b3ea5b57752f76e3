"""Weights on disk."""

import json
import os
import stat

import pytest
import torch

from pancap.chain.shards import INDEX_FILE, WEIGHTS_FILE, weight_files, write_weights


def write(folder, **settings):
    tensors = {name: torch.ones(4) for name in ("a", "b")}
    return write_weights(folder, sizes=dict.fromkeys(tensors, 16), read=tensors.__getitem__, **settings)


def test_new_weights_take_the_place_of_old_ones_and_of_nothing_else(tmp_path):
    """A user's model_ema.safetensors beside an export was removed with the old shards."""
    (tmp_path / "model_ema.safetensors").touch()
    assert len(write(tmp_path, max_bytes=16)) == 2
    assert write(tmp_path) == weight_files(tmp_path) == [tmp_path / WEIGHTS_FILE]
    assert sorted(path.name for path in tmp_path.iterdir()) == [WEIGHTS_FILE, "model_ema.safetensors"]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    """safetensors writes files for their owner alone: nobody else on a cluster could read a checkpoint."""
    before = os.umask(0o022)
    try:
        (file,) = write(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "model.bin", 7])
def test_an_index_names_only_safetensors_beside_it(tmp_path, name):
    """R22, R29."""
    (tmp_path / INDEX_FILE).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ValueError, match="no safetensors file beside it"):
        weight_files(tmp_path)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=WEIGHTS_FILE):
        weight_files(tmp_path)
