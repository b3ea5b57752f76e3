"""`pancap scenes` on Ray Data: the same bytes whatever the number of workers.

OUT/images/000000.png ...  the images
OUT/scenes.parquet/        rows in the order of the index, a thousand a file; `uri` counts from OUT
OUT/captions.json          SA-Pancap form
OUT/config.yaml            the settings as they were given
OUT/run.json               what is being drawn; another run is refused
OUT/manifest.json          written last: where it exists, the folder is complete
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pancap.configs.errors import StoppedError, UsageError
from pancap.engine.execution import describe_failure
from pancap.engine.folder import read_json, write_json, write_table, write_text
from pancap.engine.scenes.config import ScenesConfig
from pancap.engine.scenes.rows import IMAGES_FOLDER, SCENES_SCHEMA, draw_rows
from pancap.engine.scenes.scene import SCENES_VERSION, Scene, render_scene
from pancap.engine.scenes.summary import ScenesSummary, summarize

if TYPE_CHECKING:
    from ray.data import Dataset

Progress = Callable[[str, int, int | None], None]

# About a second of drawing: smaller blocks pay more for scheduling than for pixels.
_BLOCK_ROWS = 64
_FILE_ROWS = 1000
_OUTPUTS = (IMAGES_FOLDER, "scenes.parquet", "captions.json", "config.yaml", "run.json", "manifest.json")


def iter_scenes(seed: int, num: int, *, first: int = 0, size_px: int = 256) -> Iterator[Scene]:
    """Scenes of a run one after another, in this process and without files: `pancap scenes` draws the same."""
    for index in range(first, first + num):
        yield render_scene((seed, index), size_px=size_px)


def generate_scenes(
    config: ScenesConfig, *, config_text: str = "", on_progress: Progress | None = None
) -> ScenesSummary:
    """Draws the scenes of a configuration into its folder, on the Ray cluster of the caller.

    Args:
        config: what to draw.
        config_text: unresolved YAML, kept in the folder.
        on_progress: called with ("scenes", drawn, total).

    Raises:
        UsageError: the folder holds something else.
        StoppedError: drawing failed (a full disk, a lost cluster); the message says how to go on.
    """
    root = Path(config.out)
    run = describe_scenes(config)
    done = _open_folder(root, run=run, overwrite=config.overwrite)
    if done is not None:
        tables = (pq.read_table(path) for path in _parquet_files(root))
        return summarize(tables, out=config.out, digest=done["digest"], was_complete=True, seconds=0.0)
    started = time.monotonic()
    try:
        (root / IMAGES_FOLDER).mkdir(parents=True, exist_ok=True)
        write_json(root / "run.json", run)
        write_text(root / "config.yaml", config_text)
        digest = _draw(config, root=root, on_progress=on_progress)
        write_json(root / "manifest.json", {**run, "num_rows": config.num, "digest": digest})
    except Exception as error:
        raise StoppedError(
            f"drawing scenes into {config.out} stopped: {describe_failure(error)}; free space or CPUs and repeat "
            f"pancap scenes out={config.out} num={config.num} seed={config.seed}"
        ) from error
    tables = (pq.read_table(path) for path in _parquet_files(root))
    seconds = time.monotonic() - started
    return summarize(tables, out=config.out, digest=digest, was_complete=False, seconds=seconds)


def describe_scenes(config: ScenesConfig) -> dict[str, Any]:
    """Everything that decides the bytes of a run."""
    return {
        "kind": "scenes",
        "version": SCENES_VERSION,
        "num": config.num,
        "seed": config.seed,
        "size_px": config.size_px,
        "split": config.split,
    }


def _open_folder(root: Path, *, run: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """The manifest of a complete run of the same settings, or None when there is something to draw.

    Raises:
        UsageError: the path is a file, or the folder holds another run or files of another kind.
    """
    if root.exists() and not root.is_dir():
        raise UsageError(f"out must be a folder, but {root} is a file; give another out=FOLDER")
    before = read_json(root / "run.json")
    if before is not None and before == run:
        return read_json(root / "manifest.json")
    if before is None and root.is_dir() and any(root.iterdir()):
        raise UsageError(f"{root} holds files that pancap scenes did not write; give an empty out=FOLDER")
    if before is not None and not overwrite:
        keys = sorted(before.keys() | run.keys())
        changed = ", ".join(f"{k}: {before.get(k)!r} -> {run.get(k)!r}" for k in keys if before.get(k) != run.get(k))
        raise UsageError(
            f"{root} holds scenes of other settings ({changed}); give another out=FOLDER or overwrite=true"
        )
    for name in _OUTPUTS if before is not None else ():
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return None


def _draw(config: ScenesConfig, *, root: Path, on_progress: Progress | None) -> str:
    """Draws everything; the digest of ids and captions in order."""
    digest = hashlib.sha256()
    captions: list[dict[str, str]] = []
    waiting: list[pa.Table] = []
    num_files = 0
    with _ordered_context():
        # A block comes with its first index, because what a cluster calls order is a promise we check.
        for table in _blocks(config, root=root):
            expected = f"{IMAGES_FOLDER}/{len(captions):06d}.png"
            if (got := table["uri"][0].as_py()) != expected:
                raise RuntimeError(f"expected the rows from {expected} on, got {got}; Ray Data lost their order")
            for image_id, uri, caption in zip(
                *(table[c].to_pylist() for c in ("image_id", "uri", "caption")), strict=True
            ):
                digest.update(f"{image_id}\n{caption}\n".encode())
                captions.append({"image_path": uri, "gt_response": caption})
            waiting.append(table)
            if sum(map(len, waiting)) >= _FILE_ROWS or len(captions) == config.num:
                num_files += _write_files(root, waiting, first=num_files, is_last=len(captions) == config.num)
            if on_progress:
                on_progress("scenes", len(captions), config.num)
    write_json(root / "captions.json", list(captions))
    return digest.hexdigest()


def _blocks(config: ScenesConfig, *, root: Path) -> Iterator[pa.Table]:
    import ray

    where, seed, size_px, split = root.resolve(), config.seed, config.size_px, config.split

    def draw(batch: pa.Table) -> pa.Table:
        return draw_rows(batch["id"].to_pylist(), root=where, seed=seed, size_px=size_px, split=split)

    numbers: Dataset = ray.data.range(config.num, override_num_blocks=-(-config.num // _BLOCK_ROWS))
    workers = ray.data.TaskPoolStrategy(size=config.num_workers or None)
    drawn = numbers.map_batches(draw, batch_format="pyarrow", batch_size=None, compute=workers)
    yield from drawn.iter_batches(batch_format="pyarrow", batch_size=None)


def _write_files(root: Path, waiting: list[pa.Table], *, first: int, is_last: bool) -> int:
    """Writes whole files of a thousand rows (at the end the rest too); how many."""
    table = pa.concat_tables(waiting).cast(SCENES_SCHEMA).combine_chunks()
    waiting.clear()
    num_files = 0
    while len(table) >= _FILE_ROWS or (is_last and len(table)):
        path = root / "scenes.parquet" / f"part-{first + num_files:05d}.parquet"
        write_table(path, table.slice(0, _FILE_ROWS))
        table = table.slice(_FILE_ROWS)
        num_files += 1
    if len(table):
        waiting.append(table)
    return num_files


@contextmanager
def _ordered_context() -> Iterator[None]:
    """Ray Data without its bars and with rows in order; the caller's settings come back afterwards."""
    from ray.data import DataContext

    before = DataContext.get_current()
    context = before.copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = True
    DataContext._set_current(context)
    try:
        yield
    finally:
        DataContext._set_current(before)


def _parquet_files(root: Path) -> list[Path]:
    return sorted((root / "scenes.parquet").glob("part-*.parquet"))
