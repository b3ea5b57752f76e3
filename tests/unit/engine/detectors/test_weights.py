"""Weight files: what is written is read, what is wrong is refused in one sentence."""

import pytest
import torch

from pancap.configs.errors import UsageError
from pancap.engine.detectors.nano import NanoProposer
from pancap.engine.detectors.network import TaggerNetwork
from pancap.engine.detectors.weights import WeightsInfo, load_into, read_info, save_weights

INFO = WeightsInfo(
    kind="tagger", classes=("cat", "dog"), command="train", seed=1, num_scenes=2, num_steps=3, batch_size=4, version="v"
)


def test_header_and_numbers_survive(tmp_path):
    network, file = TaggerNetwork(3), tmp_path / "tagger.safetensors"
    save_weights(network, file=file, info=INFO)
    assert read_info(file) == INFO
    other = TaggerNetwork(3)
    load_into(other, file=file)
    torch.testing.assert_close(other.head[0].weight, network.head[0].weight, atol=1e-3, rtol=1e-3)
    assert not other.training
    assert [path.name for path in tmp_path.iterdir()] == ["tagger.safetensors"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.safetensors is missing"):
        NanoProposer(tmp_path / "gone.safetensors")


def test_a_file_of_another_format_is_refused(tmp_path):
    file = tmp_path / "proposer.safetensors"
    file.write_bytes(b"not tensors at all")
    with pytest.raises(UsageError, match="not a safetensors file"):
        NanoProposer(file)


def test_weights_of_another_model_are_refused(tmp_path):
    file = tmp_path / "tagger.safetensors"
    save_weights(TaggerNetwork(3), file=file, info=INFO)
    with pytest.raises(UsageError, match="does not fit this version"):
        NanoProposer(file)
    with pytest.raises(UsageError, match="does not fit this version"):
        load_into(TaggerNetwork(4), file=file)
