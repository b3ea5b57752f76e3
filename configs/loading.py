"""Typed configuration: defaults < YAML file < `key=value` overrides, into a frozen dataclass."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pancap.configs.errors import UsageError

ConfigT = TypeVar("ConfigT")

PRESETS_DIR = Path(__file__).parent


def load_config(
    schema: type[ConfigT], file: str | Path | Mapping[str, Any] | None = None, overrides: Sequence[str] = ()
) -> tuple[ConfigT, str]:
    """Builds a configuration and keeps its unresolved text for the run's records.

    Args:
        schema: frozen, keyword-only dataclass with a default for every optional field.
        file: YAML file, or the name of a preset (`train/quick`), or its content; its keys override the defaults.
        overrides: `key=value` pairs (dotted keys for nested fields); they override the file.

    Returns:
        The instance and its YAML text with interpolations left unresolved (no secret is ever written out).

    Raises:
        UsageError: unknown key, wrong type, missing file, missing required value, or a `__post_init__` that refuses.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Demo:
        ...     num: int = 3
        >>> load_config(Demo, overrides=["num=5"])[0]
        Demo(num=5)
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    for override in overrides:
        if "=" not in override or override.startswith("="):
            raise UsageError(f"expected key=value, got {override!r}; write for example seed=1")
    where = "the command line" if file is None else "the given settings" if isinstance(file, Mapping) else str(file)
    try:
        merged = OmegaConf.structured(schema)
        if file is not None:
            given = OmegaConf.create(dict(file)) if isinstance(file, Mapping) else OmegaConf.load(preset_path(file))
            merged = OmegaConf.merge(merged, given)
        merged = OmegaConf.merge(merged, OmegaConf.from_dotlist(list(overrides)))
        unresolved = OmegaConf.to_yaml(merged, resolve=False)
        built = OmegaConf.to_object(merged)
    except MissingMandatoryValue as error:
        raise UsageError(f"{error.full_key} is required; add {error.full_key}=... to the command") from error
    except OmegaConfBaseException as error:
        raise UsageError(_explain(schema, error, where=where)) from error
    except ValueError as error:
        raise UsageError(f"{error} ({where})") from error
    assert isinstance(built, schema)
    return built, unresolved


def preset_path(name: str | Path) -> Path:
    """Finds a YAML file by path, or a preset by its name under `configs/`.

    Raises:
        UsageError: neither exists; the message lists the presets.
    """
    for candidate in (Path(name), PRESETS_DIR / name, PRESETS_DIR / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    presets = ", ".join(preset_names())
    raise UsageError(f"config file {name} does not exist; give a path or one of the presets: {presets}")


def preset_names() -> list[str]:
    """Every preset that comes with the package, as `--config` takes it."""
    return sorted(str(path.relative_to(PRESETS_DIR).with_suffix("")) for path in PRESETS_DIR.glob("*/*.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedResults:
    """The published main table.

    Args:
        source: paper, images and judge.
        models: tag, loc, att, rel, glo (F1 in percent) and overall (of 410), by model.
    """

    source: str
    models: dict[str, tuple[float, ...]]


def published_results() -> PublishedResults:
    """The table that comes with the package (configs/published_results.yaml)."""
    from omegaconf import OmegaConf

    record = OmegaConf.load(PRESETS_DIR / "published_results.yaml")
    return PublishedResults(
        source=record.source, models={str(name): tuple(figures) for name, figures in record.models.items()}
    )


def describe_config(schema: type, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration schema, nested dataclasses included."""
    keys = []
    for field in fields(schema):
        key = f"{prefix}{field.name}"
        keys.append(key)
        if is_dataclass(field.type) and isinstance(field.type, type):
            keys += describe_config(field.type, prefix=f"{key}.")
    return keys


def _explain(schema: type, error: Any, *, where: str) -> str:
    message = str(error).splitlines()[0]
    key = getattr(error, "full_key", None) or getattr(error, "key", None)
    if type(error).__name__ in {"ConfigKeyError", "ConfigAttributeError"} and key:
        known = describe_config(schema)
        close = difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
        return f"unknown key {key} ({where}); {hint}"
    return f"{key}: {message} ({where})" if key else f"{message} ({where})"
