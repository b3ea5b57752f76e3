"""The rows that a run learns from: kept beside it, the same for all its workers and when it is resumed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pancap.chain.data.datasets import is_json, read_training_images, write_training_images
from pancap.chain.training.config import TrainConfig
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

ROWS_FILE = "data.parquet"
SOURCE_FILE = "source.json"


def rows_path(config: TrainConfig) -> Path:
    """The parquet that every worker reads: the one given, or the one that a JSON's rows are kept in."""
    return Path(config.out) / ROWS_FILE if is_json(config.data) else Path(config.data)


def keep_rows(images: Sequence[TrainingImage], *, config: TrainConfig) -> list[TrainingImage]:
    """Keeps a new run's rows, and what they were read from.

    Args:
        images: as the dataset gives them.
        config: of the run.

    Returns:
        The images as every worker reads them, which is what their pixels must be decoded from: a row that does not
        come back would shift all later ones.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / SOURCE_FILE).write_text(json.dumps(_describe_source(config), indent=2))
    if not is_json(config.data):
        return list(images)
    write_training_images(images, rows_path(config))
    return read_training_images(rows_path(config))


def read_kept(config: TrainConfig) -> list[TrainingImage]:
    """The images of a run that goes on, as every worker reads them.

    Raises:
        UsageError: the run was started on another dataset, or on another part of it.
    """
    source = Path(config.out) / SOURCE_FILE
    kept = json.loads(source.read_text()) if source.is_file() else {}
    changed = [
        f"{name} {kept[name]}, now {value}"
        for name, value in _describe_source(config).items()
        if name in kept and kept[name] != value
    ]
    if changed:
        raise UsageError(
            f"{config.out} was started with {'; '.join(changed)}; resume it with the same, or start a new run with "
            "another out=FOLDER"
        )
    return read_training_images(rows_path(config), limit=config.limit)


def _describe_source(config: TrainConfig) -> dict[str, str | int | None]:
    """Where rows come from; without a digest if that is gone: a JSON's are kept, a resumed run does not need it."""
    data = Path(config.data)
    described: dict[str, str | int | None] = {
        "data": config.data,
        "images": str(Path(config.images).resolve()) if config.images else None,
        "limit": config.limit,
    }
    return described | {"digest": _digest(data)} if data.exists() else described


def _digest(data: Path) -> str:
    """Of a JSON's bytes, or of a parquet's image ids in their order."""
    if is_json(data):
        content = data.read_bytes()
    else:
        import pyarrow.dataset as ds

        ids = ds.dataset(str(data), format="parquet").to_table(columns=["image_id"])["image_id"]
        content = json.dumps(ids.to_pylist()).encode()
    return hashlib.sha256(content).hexdigest()[:16]
