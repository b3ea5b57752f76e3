"""A trained checkpoint stored in another type, as the shipped ones are: half of float32's size is enough for use."""

from pathlib import Path

from pancap.chain.conversion.config import StoreConfig
from pancap.chain.conversion.summary import ConvertSummary
from pancap.chain.model import load_checkpoint, save_checkpoint
from pancap.chain.shards import weight_files
from pancap.configs import UsageError


def store(config: StoreConfig) -> ConvertSummary:
    """Writes the same model and tokenizer with weights of another type.

    Args:
        config: where from, where to, which type.

    Raises:
        UsageError: no such checkpoint, something is in the way, or a weight is too large for the type.
    """
    folder = Path(config.out)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; remove it, or give another folder with out=DIR")
    given = load_checkpoint(config.checkpoint, dtype=config.storage)
    for name, weight in given.model.state_dict().items():
        if not weight.isfinite().all():
            raise UsageError(f"{name} of {config.checkpoint} has values beyond {config.storage}; set storage=bfloat16")
    save_checkpoint(given.model, tokenizer=given.tokenizer, directory=folder, meta=given.meta, storage=config.storage)
    files = weight_files(folder)
    return ConvertSummary(
        out=str(folder),
        num_parameters=given.model.num_parameters(),
        num_files=len(files),
        num_bytes=sum(file.stat().st_size for file in files),
        num_merged=0,
        storage=config.storage,
    )
