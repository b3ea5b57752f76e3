"""Checkpoints stored in another type, and what the shipped ones take."""

from pathlib import Path

import pytest
import torch

import pancap.chain
import pancap.engine
from pancap.chain.conversion.config import StoreConfig
from pancap.chain.conversion.store import store
from pancap.chain.model import load_checkpoint, save_checkpoint
from pancap.configs import UsageError

IDS = torch.tensor([[1, 7, 8, 9]])


@pytest.fixture
def trained(token_checkpoint, tmp_path):
    parts = {"tokenizer": token_checkpoint.tokenizer, "meta": token_checkpoint.meta}
    return save_checkpoint(token_checkpoint.model, directory=tmp_path / "trained", **parts)


@pytest.mark.parametrize(("storage", "digits"), [("float16", 11), ("bfloat16", 8)])
def test_a_checkpoint_of_half_the_size_answers_the_same(trained, tmp_path, storage, digits):
    """Within the type's binary digits, which all weights together may use up a few times."""
    summary = store(StoreConfig(checkpoint=str(trained), out=str(tmp_path / "half"), storage=storage))
    whole_bytes = (trained / "model.safetensors").stat().st_size
    assert summary.num_bytes == pytest.approx(whole_bytes / 2, rel=0.1)
    whole, half = load_checkpoint(trained), load_checkpoint(summary.out)
    assert (half.meta, half.tokenizer.get_vocab()) == (whole.meta, whole.tokenizer.get_vocab())
    with torch.no_grad():
        expected, found = (given.model(input_ids=IDS).logits for given in (whole, half))
    assert not torch.equal(found, expected)
    assert (found - expected).abs().max() < 8 * 2**-digits * expected.abs().max()


def test_weights_beyond_the_type_are_refused(trained, tmp_path):
    """Float16 ends at 65,504: they would be infinite, and every answer with them."""
    given = load_checkpoint(trained)
    with torch.no_grad():
        given.model.model.multi_modal_projector.linear_1.bias[0] = 1e5
    save_checkpoint(given.model, tokenizer=given.tokenizer, directory=trained, meta=given.meta)
    with pytest.raises(UsageError, match=r"linear_1.bias.*storage=bfloat16"):
        store(StoreConfig(checkpoint=str(trained), out=str(tmp_path / "half")))
    assert not (tmp_path / "half").exists()


def test_another_checkpoint_is_not_written_over(trained):
    with pytest.raises(UsageError, match="not empty"):
        store(StoreConfig(checkpoint=str(trained), out=str(trained)))


def test_shipped_weights_stay_small():
    """All models that come with the platform, together below 40 MB."""
    folders = [Path(path) for package in (pancap.chain, pancap.engine) for path in package.__path__]
    sizes = {file: file.stat().st_size for folder in folders for file in folder.rglob("*.safetensors")}
    assert len(sizes) >= 5
    assert sum(sizes.values()) < 40_000_000, sizes
