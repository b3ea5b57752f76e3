"""Where a training run keeps its things."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where a prepared run keeps its things, all under config.out but the decoded images and a parquet that was given.

    Args:
        out: the run's folder.
        data: the parquet that every worker reads.
        pixels: the decoded images, in the order of its rows.
    """

    out: Path
    data: Path
    pixels: Path

    @property
    def start(self) -> Path:
        """The checkpoint that training begins from."""
        return self.out / "start"

    @property
    def states(self) -> Path:
        """Resumable states."""
        return self.out / "state"

    @property
    def checkpoint(self) -> Path:
        """The trained model so far."""
        return self.out / "checkpoint"

    @property
    def metrics(self) -> Path:
        """One JSON line per logged step."""
        return self.out / "metrics.jsonl"

    @property
    def end(self) -> Path:
        """How the loop ended."""
        return self.out / "end.json"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file in their order; one that was cut, by a full disk or a death, is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def trim_metrics(path: Path, *, step: int) -> None:
    """Drops the lines after a step: they will be written again."""
    if path.is_file():
        lines = [line for line in read_metrics(path) if line["step"] <= step]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def replace_folder(folder: Path, *, by: Path) -> None:
    """Puts a whole folder in another one's place by renaming: no time at which it is there in part."""
    old = folder.with_name(f".old_{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    by.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
