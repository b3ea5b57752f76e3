"""Fills the pixel map on a Ray cluster: Ray Data hands blocks of rows to tasks, each writes its rows of the file."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.chain.training.squares import SquareWriter, Written
from pancap.chain.tuples import TrainingImage
from pancap.configs import StoppedError

if TYPE_CHECKING:
    import pyarrow as pa

# Two seconds of a core: photographs of COCO took 45 to 61 ns a pixel, so that a task's own cost is a small part.
PIXELS_PER_BLOCK = 40_000_000
_CAUSE = re.compile(r"^\w+Error: .*$", re.MULTILINE)  # in Ray's report of a failed task, a remote trace


def write_on_ray(images: Mapping[int, TrainingImage], writer: SquareWriter) -> Iterator[Written]:
    """Writes each image into its row; what became of the rows, in any order.

    A task whose worker died is run again by Ray and writes the same bytes.

    Raises:
        StoppedError: a task failed.
    """
    import ray
    from ray.exceptions import RayError

    num_pixels = sum(image.width * image.height for image in images.values())
    rows = [{"row": row, "path": str(image.path)} for row, image in images.items()]
    with _quiet_context():
        written = ray.data.from_items(
            rows, override_num_blocks=min(len(rows), -(-num_pixels // PIXELS_PER_BLOCK))
        ).map_batches(write_batch, fn_kwargs={"writer": writer}, batch_size=None, batch_format="pyarrow", num_cpus=1)
        try:
            for batch in written.iter_batches(batch_size=None, batch_format="pyarrow"):
                yield from (Written(**fields) for fields in batch.to_pylist())
        except RayError as error:
            causes = _CAUSE.findall(str(error)) or [type(error).__name__]
            raise StoppedError(
                f"decoding images on the Ray cluster failed ({causes[-1][:200]}); every node must see {writer.file} "
                "and the images, run it again"
            ) from error


def write_batch(batch: "pa.Table", *, writer: SquareWriter) -> "pa.Table":
    """What a task does with a block of rows: columns `row` and `path` in, the fields of `Written` out."""
    import pyarrow as pa

    written = [asdict(writer.write(item["row"], Path(item["path"]))) for item in batch.to_pylist()]
    return pa.Table.from_pylist(written)


@contextmanager
def _quiet_context() -> Iterator[None]:
    """Ray Data without its bars; the caller's settings come back afterwards."""
    from ray.data import DataContext

    before = DataContext.get_current()
    context = before.copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    DataContext._set_current(context)
    try:
        yield
    finally:
        DataContext._set_current(before)
