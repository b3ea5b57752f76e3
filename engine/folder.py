"""The folder of a run: what lies where, written so that a crash leaves nothing half done.

OUT/rows/            every image once, as the run writes them
OUT/dataset.parquet/ the rows that were kept
OUT/dropped.parquet  rows that curation dropped, with their figures
OUT/errors.parquet   quarantined rows, with their reason
OUT/export/          SA-Pancap and COCO JSON
OUT/summary.json, OUT/run.json, OUT/config.yaml, OUT/work/
OUT/manifest.json    written last: where it exists, the run is complete
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run."""

    root: Path

    @property
    def rows(self) -> Path:
        """Parquet files as they are committed."""
        return self.root / "rows"

    @property
    def dataset(self) -> Path:
        """Folder of the kept rows."""
        return self.root / "dataset.parquet"

    @property
    def dropped(self) -> Path:
        """File of the dropped rows."""
        return self.root / "dropped.parquet"

    @property
    def errors(self) -> Path:
        """File of the quarantined rows."""
        return self.root / "errors.parquet"

    @property
    def export(self) -> Path:
        """Folder of the JSON exports."""
        return self.root / "export"

    @property
    def summary(self) -> Path:
        """The run's figures."""
        return self.root / "summary.json"

    @property
    def description(self) -> Path:
        """What the run was started with."""
        return self.root / "run.json"

    @property
    def manifest(self) -> Path:
        """Complete when it exists."""
        return self.root / "manifest.json"

    @property
    def index(self) -> Path:
        """The images of the run."""
        return self.root / "work" / "index.parquet"

    def checkpoint(self, run: str) -> Path:
        """Which rows are committed, of the run of that fingerprint."""
        return self.root.resolve() / "work" / f"checkpoint-{run}"  # Ray Data takes absolute paths only

    def num_rows_written(self) -> int:
        """Rows in the committed files; a file that is being written does not count."""
        total = 0
        for path in self.rows.glob("*.parquet"):
            try:
                total += pq.read_metadata(path).num_rows
            except (OSError, pa.ArrowInvalid):
                continue
        return total


def read_json(path: Path) -> dict[str, Any] | None:
    """The object of a file, None where there is no file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Writes a file that is there whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a parquet file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    pq.write_table(table, temporary)
    os.replace(temporary, path)
