"""`pancap weights`: published checkpoints in the layout that the chain reads, trained ones in another type."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show

if TYPE_CHECKING:
    from pancap.chain.conversion.config import Family


def run_convert(*, family: "Family", overrides: Sequence[str], config: str | None, as_json: bool) -> None:
    """Converts with progress and prints the summary."""
    from pancap.chain.conversion.config import ConvertConfig

    settings, _ = load_config(ConvertConfig, config, overrides)
    from pancap.chain.conversion.convert import convert

    with progress_bars() as report:
        summary = convert(settings, family=family, on_progress=report)
    show(summary, as_json=as_json)


def run_store(*, overrides: Sequence[str], config: str | None, as_json: bool) -> None:
    """Stores and prints the summary."""
    from pancap.chain.conversion.config import StoreConfig

    settings, _ = load_config(StoreConfig, config, overrides)
    from pancap.chain.conversion.store import store

    show(store(settings), as_json=as_json)
