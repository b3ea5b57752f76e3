"""`pancap quickstart`: the whole road on this machine."""

import sys
from collections.abc import Sequence

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.quickstart import QuickstartConfig, run_quickstart


def run(*, overrides: Sequence[str], config: str | None, as_json: bool) -> None:
    """Runs it with progress and prints the closing summary."""
    settings, _ = load_config(QuickstartConfig, config, overrides)
    with progress_bars(title=" ") as report:
        summary = run_quickstart(
            settings, on_progress=report, announce=lambda line: print(line, file=sys.stderr, flush=True)
        )
    show(summary, as_json=as_json)
