"""PancapScore: how well one panoptic caption says what another says."""

from typing import Any

_HOMES = {
    "PancapScore": "metric",
    "ScoreConfig": "config",
    "ScoreReport": "report",
    "ImageScore": "results",
    "score_captions": "score",
    "score_files": "files",
    "score_pair": "score",
}

__all__ = [
    "ImageScore",
    "PancapScore",
    "ScoreConfig",
    "ScoreReport",
    "score_captions",
    "score_files",
    "score_pair",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
