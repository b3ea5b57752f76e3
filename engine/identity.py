"""What a run is made of, so that a resume with anything else is refused (R2)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pancap.configs.errors import UsageError
from pancap.engine.config import EngineConfig

# What may change between a run and its resume, because no row depends on it.
_FREE_FIELDS = frozenset(
    {"out", "num_actors", "rows_per_commit", "start_timeout_s", "stall_timeout_s", "max_bad_fraction"}
)
_WEIGHTS_DIR = Path(__file__).parent / "weights"


def describe_run(config: EngineConfig) -> dict[str, Any]:
    """Everything that decides what the rows will be: settings, version and weights."""
    from importlib.metadata import PackageNotFoundError, version

    settings = {name: value for name, value in asdict(config).items() if name not in _FREE_FIELDS}
    settings["source"] = str(Path(config.source).resolve())
    try:
        release = version("pancap")
    except PackageNotFoundError:
        release = "unknown"
    return {"config": json.loads(json.dumps(settings)), "version": release, "weights": _hash_weights(_WEIGHTS_DIR)}


def fingerprint(description: Mapping[str, Any]) -> str:
    """Twelve hex digits that stand for a description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def check_same_run(before: Mapping[str, Any], now: Mapping[str, Any], *, out: Path) -> None:
    """Compares a started run with what is asked for.

    Raises:
        UsageError: they differ; the message shows every difference.
    """
    flat_before, flat_now = _flatten(before), _flatten(now)
    differences = [
        f"{key}: {flat_before.get(key)!r} -> {flat_now.get(key)!r}"
        for key in sorted(flat_before.keys() | flat_now.keys())
        if flat_before.get(key) != flat_now.get(key)
    ]
    if differences:
        raise UsageError(
            f"{out} holds a run of other settings ({'; '.join(differences)}); "
            "repeat it with its own settings, or give another out=FOLDER"
        )


def provenance(description: Mapping[str, Any]) -> str:
    """JSON for every row: which models and settings made it."""
    config = description["config"]
    names = ("proposer", "tagger", "grounders", "ground_for", "captioner", "verifier", "min_agreement")
    made = {name: config[name] for name in names if name in config}
    return json.dumps({"pancap": description["version"], "run": fingerprint(description), **made}, sort_keys=True)


def _hash_weights(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("*.safetensors"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def _flatten(description: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in description.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return {key.removeprefix("config."): value for key, value in flat.items()}
