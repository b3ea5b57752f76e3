"""The one door for configuration: `load_config`, the error types of the command line, and every YAML preset."""

from pancap.configs.errors import StoppedError, TooManyBadRowsError, UsageError
from pancap.configs.loading import describe_config, load_config, preset_names, preset_path, published_results

__all__ = [
    "StoppedError",
    "TooManyBadRowsError",
    "UsageError",
    "describe_config",
    "load_config",
    "preset_names",
    "preset_path",
    "published_results",
]
