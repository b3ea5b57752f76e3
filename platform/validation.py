"""PancapScore of a chain's checkpoint on held-out scenes: what `pancap train chain` validates with."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pancap.configs import UsageError


def validate_on(held_out: str | Path, *, limit: int) -> Callable[[Path, Path], Mapping[str, float]]:
    """A function that scores a checkpoint: (checkpoint folder, folder for captions) -> figures, `overall` among them.

    Args:
        held_out: Scenes folder: images/ and captions.json.
        limit: its first images alone.

    Raises:
        UsageError: the folder has no captions.json.
    """
    if not (Path(held_out) / "captions.json").is_file():
        raise UsageError(f"{held_out}/captions.json does not exist; give a folder of pancap scenes as validation")
    return partial(_score, held_out=Path(held_out), limit=limit)


def _score(checkpoint: Path, out: Path, *, held_out: Path, limit: int) -> Mapping[str, float]:
    from pancap.chain.config import CaptionConfig
    from pancap.chain.folder import caption_folder
    from pancap.scoring.config import ScoreConfig
    from pancap.scoring.files import score_files

    caption_folder(
        CaptionConfig(
            model=str(checkpoint),
            images=str(held_out),
            out=str(out),
            device="cpu",  # a GPU is the training's
            limit=limit,
            overwrite=True,
        )
    )
    report = score_files(out / "captions.json", held_out / "captions.json", ScoreConfig(allow_missing=True))
    return report.metrics()
