"""One engine run: index, rows, tables, exports, manifest; resumable at every point."""

import errno
import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pancap.configs.errors import StoppedError, TooManyBadRowsError, UsageError
from pancap.engine import registry
from pancap.engine.config import EngineConfig
from pancap.engine.execution import RowsJob, write_rows
from pancap.engine.export import export_coco, export_sapancap
from pancap.engine.folder import RunFolder, read_json, write_json, write_table, write_text
from pancap.engine.graph import StageBuilder, build_stages
from pancap.engine.identity import check_same_run, describe_run, fingerprint, provenance
from pancap.engine.rows import KEPT_ROW_SCHEMA, ROW_SCHEMA, with_schema
from pancap.engine.sources import index_images
from pancap.engine.summary import EngineSummary, count_rows

Progress = Callable[[str, int, int | None], None]

_NO_SPACE = "No space left on device"


def run_engine(
    config: EngineConfig,
    *,
    config_text: str = "",
    on_progress: Progress | None = None,
    build: StageBuilder = build_stages,
) -> EngineSummary:
    """Makes a dataset of panoptic captions from a folder of images.

    Args:
        config: of the run.
        config_text: unresolved YAML, kept in the run's folder.
        on_progress: called with what is done, how many images, of how many.
        build: makes the stages inside each actor; give another to run the graph on models of your own.

    Returns:
        The figures; those of the finished run, marked as a repeat, where it was complete before.

    Raises:
        UsageError: the source holds no image, a model's name is unknown, or `out` holds another run.
        StoppedError: the run can go on from where it stopped; the message has the command.
        TooManyBadRowsError: more images were quarantined than the configuration allows; all outputs are written.
    """
    folder = RunFolder(Path(config.out))
    description = describe_run(config)
    _check_names(config)
    _check_folder(folder, description)
    begun = time.monotonic()
    with _stopping_well(config):
        if folder.manifest.exists():
            summary = replace(_read_summary(folder), is_repeat=True)
        else:
            counts = _prepare(config, folder, description, config_text=config_text, on_progress=on_progress)
            rows, num_resumed = _write(config, folder, description, on_progress=on_progress, build=build)
            summary = EngineSummary(
                source=config.source,
                out=config.out,
                num_resumed=num_resumed,
                seconds=round(time.monotonic() - begun, 3),
                **counts,
                **count_rows(rows),
            )
            _finish(folder, rows, summary=summary, run=fingerprint(description))
    if summary.bad_fraction > config.max_bad_fraction:
        raise TooManyBadRowsError(
            f"{summary.num_quarantined + summary.num_unreadable} of {summary.num_in + summary.num_unreadable} images "
            f"failed, more than max_bad_fraction={config.max_bad_fraction:g}; their reasons are in {folder.errors}"
        )
    return summary


def resume_command(config: EngineConfig) -> str:
    """The command line that continues a run."""
    words = ["pancap", "engine", "run"]
    for field in fields(config):
        value = getattr(config, field.name)
        if field.default is MISSING or value != field.default:
            text = f"[{','.join(value)}]" if isinstance(value, tuple) else str(value)
            words.append(f"{field.name}={text}")
    return shlex.join(words)


def _write(
    config: EngineConfig,
    folder: RunFolder,
    description: dict[str, Any],
    *,
    on_progress: Progress | None,
    build: StageBuilder,
) -> tuple[pa.Table, int]:
    """All rows of the run, and how many of them an earlier start had written."""
    index = pq.read_table(folder.index)
    run = fingerprint(description)
    num_resumed = folder.num_rows_written()
    if num_resumed < len(index) or any(folder.checkpoint(run).glob("*.pending.parquet")):
        with _ray_cluster():
            job = RowsJob(
                config=config,
                folder=folder,
                run=run,
                provenance=provenance(description),
                num_images=len(index),
                build=build,
            )
            write_rows(job, on_progress=on_progress)
    return _collect(folder, index), num_resumed


def _prepare(
    config: EngineConfig,
    folder: RunFolder,
    description: dict[str, Any],
    *,
    config_text: str,
    on_progress: Progress | None,
) -> dict[str, Any]:
    """Writes the index and the run's description once; returns the counts of what was left out."""
    started = read_json(folder.description)
    if started is None:
        images = index_images(config.source, limit=config.limit, on_progress=on_progress)
        if not len(images.index):
            raise UsageError(f"none of the {images.num_unreadable} images in {config.source} can be read; check rights")
        counts = {name: getattr(images, name) for name in ("num_duplicates", "num_unreadable", "num_outside")}
        folder.rows.mkdir(parents=True, exist_ok=True)
        write_table(folder.index, images.index)
        write_text(folder.root / "config.yaml", config_text)
        started = {"run": description, "left_out": counts}
        write_json(folder.description, started)  # last: a run that has it has its index
    left_out: dict[str, Any] = started["left_out"]
    return left_out


def _collect(folder: RunFolder, index: pa.Table) -> pa.Table:
    """All rows in the index's order, whatever order and files they were committed in.

    Raises:
        StoppedError: an image has no row, or more than one.
    """
    rows = with_schema(pq.read_table(folder.rows), KEPT_ROW_SCHEMA)
    positions = pc.index_in(index["image_id"], rows["image_id"])
    if positions.null_count or len(rows) != len(index):
        raise StoppedError(
            f"expected one row for each of {len(index)} images in {folder.rows}, got {len(rows)} rows "
            f"and {positions.null_count} images without one"
        )
    return rows.take(positions).combine_chunks()


def _finish(folder: RunFolder, rows: pa.Table, *, summary: EngineSummary, run: str) -> None:
    """Writes the tables, the exports, the summary and, last, the manifest."""
    is_healthy = pc.is_null(rows["error"])
    is_kept = pc.and_(is_healthy, pc.is_null(rows["drop_reason"]))
    kept = with_schema(rows.filter(is_kept), ROW_SCHEMA)
    write_table(folder.dataset / "part-00000.parquet", kept)
    write_table(folder.dropped, rows.filter(pc.and_(is_healthy, pc.is_valid(rows["drop_reason"]))))
    write_table(folder.errors, with_schema(rows.filter(pc.invert(is_healthy)), ROW_SCHEMA))
    export_sapancap(kept, folder.export / "sapancap.json")
    export_coco(kept, folder.export / "coco.json")
    write_json(folder.summary, summary.to_dict())
    write_json(folder.manifest, {"run": run, "num_rows": len(rows), "num_kept": len(kept)})


def _read_summary(folder: RunFolder) -> EngineSummary:
    content = read_json(folder.summary)
    if content is None:
        raise UsageError(f"{folder.manifest} says complete but {folder.summary} is missing; remove {folder.root}")
    return EngineSummary.from_dict(content)


def _check_names(config: EngineConfig) -> None:
    """Refuses unknown models before anything starts."""
    for what, names, known in (
        ("proposer", [config.proposer], registry.proposer_names()),
        ("tagger", [config.tagger], registry.tagger_names()),
        ("grounders", config.grounders, registry.grounder_names()),
        ("captioner", [config.captioner], registry.captioner_names()),
        ("verifier", [config.verifier], registry.captioner_names()),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"{what} must be one of {', '.join(known)}, got {name!r}; name one of them")


def _check_folder(folder: RunFolder, description: dict[str, Any]) -> None:
    """Refuses an `out` that is not this run's."""
    if folder.root.exists() and not folder.root.is_dir():
        raise UsageError(f"out must be a folder, but {folder.root} is a file; give another out=FOLDER")
    started = read_json(folder.description)
    if started is not None:
        check_same_run(started["run"], description, out=folder.root)
    elif folder.manifest.exists() or any(folder.rows.glob("*.parquet")):
        raise UsageError(f"{folder.root} holds data that this run did not write; give another out=FOLDER")


@contextmanager
def _stopping_well(config: EngineConfig) -> Iterator[None]:
    """Adds the resume command to whatever stops a run, and names a full disk (R28)."""
    try:
        yield
    except StoppedError as error:
        sentence = str(error)
        if _NO_SPACE in sentence:
            sentence = f"the disk of {config.out} is full"
        raise StoppedError(f"{sentence}; continue with: {resume_command(config)}") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StoppedError(
            f"the disk of {error.filename or config.out} is full; free some space and continue with: "
            f"{resume_command(config)}"
        ) from error


@contextmanager
def _ray_cluster() -> Iterator[None]:
    """The caller's cluster, that of RAY_ADDRESS, or a quiet local one for the length of the run."""
    import ray

    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS", "local")  # Ray would take any cluster that was left running here
    own = {"include_dashboard": False} if address == "local" else {}
    ray.init(address, **own, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
