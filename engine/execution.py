"""Runs the engine's graph on Ray Data: a Read ... Write plan whose commits survive a crash.

Ray Data's checkpointing commits per write task, and every block is written by a task of its own: so the read cuts the
index into blocks of at most `rows_per_commit`, and everything behind it keeps those blocks. (`repartition` directly
after the read would do the same, but its tasks want a whole CPU, which a small cluster full of actors never has.)
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.configs.errors import StoppedError
from pancap.engine.config import EngineConfig
from pancap.engine.folder import RunFolder
from pancap.engine.graph import EngineActor, StageBuilder

if TYPE_CHECKING:
    from ray.data import DataContext, Dataset

Progress = Callable[[str, int, int | None], None]

# Logical CPUs. An actor computes all the time, but counts half a core: the other half is for what feeds it.
ACTOR_CPUS = 0.5
_SMALL_TASK_CPUS = 0.25
_READ_AND_WRITE_CPUS = 2 * _SMALL_TASK_CPUS
_RESUME_CPUS = 1.0  # Ray Data's own actor that filters out the rows of an earlier start
_POLL_S = 0.25

_logger = logging.getLogger("pancap.engine")


@dataclass(frozen=True, kw_only=True)
class RowsJob:
    """What there is to do.

    Args:
        config: of the run.
        folder: of the run; its index exists.
        run: fingerprint; names the checkpoint.
        provenance: JSON for every row.
        num_images: rows of the index.
        build: makes the stages inside an actor.
    """

    config: EngineConfig
    folder: RunFolder
    run: str
    provenance: str
    num_images: int
    build: StageBuilder


def write_rows(job: RowsJob, *, on_progress: Progress | None) -> None:
    """Takes every image of the index that has no row yet through the stages and commits its row.

    Args:
        job: what there is to do.
        on_progress: called with the rows committed so far.

    Raises:
        StoppedError: no CPU became free, nothing moved for too long, or the execution failed; the message is one
            sentence without the resume command, which the caller adds.
    """
    is_resume = any(job.folder.checkpoint(job.run).glob("*.parquet"))
    reserved = _READ_AND_WRITE_CPUS + (_RESUME_CPUS if is_resume else 0.0)
    num_actors = _wait_for_cpus(job.config, reserved=reserved)
    failure: list[Exception] = []

    def execute() -> None:
        try:
            with _data_context(job):
                _execute(job, num_actors=num_actors)
        except Exception as error:
            failure.append(error)

    # In a thread of its own, so that this one can see progress, a standstill and Ctrl-C.
    thread = threading.Thread(target=execute, name="pancap-engine", daemon=True)
    thread.start()
    _watch(thread, job=job, on_progress=on_progress)
    if failure:
        raise StoppedError(describe_failure(failure[0])) from failure[0]


def _execute(job: RowsJob, *, num_actors: int) -> None:
    import ray

    index: Dataset = ray.data.read_parquet(
        str(job.folder.index),
        num_cpus=_SMALL_TASK_CPUS,
        override_num_blocks=-(-job.num_images // job.config.rows_per_commit),
    )
    rows = index.map_batches(
        EngineActor,
        fn_constructor_args=(job.config, job.provenance, job.build),
        compute=ray.data.ActorPoolStrategy(size=num_actors),
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=ACTOR_CPUS,
    )
    rows.write_parquet(str(job.folder.rows), ray_remote_args={"num_cpus": _SMALL_TASK_CPUS})


@contextmanager
def _data_context(job: RowsJob) -> "Iterator[DataContext]":
    """Ray Data's settings for this run; the caller's own come back afterwards."""
    from ray.data import DataContext
    from ray.data.checkpoint import CheckpointConfig

    before = DataContext.get_current()
    context = before.copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.use_datasource_v2 = False  # with it, losing a node failed 2 of 3 runs; without it, 0 of 2
    context.checkpoint_config = CheckpointConfig(
        id_column="image_id",
        checkpoint_path=str(job.folder.checkpoint(job.run)),
        delete_checkpoint_on_success=False,  # else starting a finished run again would write every row twice
    )
    library_logger = logging.getLogger("ray.data")  # given its level when ray.data is imported, so set here
    level = library_logger.level
    DataContext._set_current(context)
    library_logger.setLevel(logging.CRITICAL)  # what fails is told once, by us
    try:
        yield context
    finally:
        library_logger.setLevel(level)
        DataContext._set_current(before)


def _wait_for_cpus(config: EngineConfig, *, reserved: float) -> int:
    """How many actors there is room for beside the reserved CPUs, waiting for at least one.

    Raises:
        StoppedError: there is no room within the time that the configuration gives.
    """
    import ray

    wanted = config.num_actors or _count_cores()
    deadline = time.monotonic() + config.start_timeout_s
    has_warned = False
    while True:
        free = ray.available_resources().get("CPU", 0.0)
        room = int((free - reserved) / ACTOR_CPUS)
        if room >= 1:
            return min(wanted, room)
        total = ray.cluster_resources().get("CPU", 0.0)
        sentence = f"the stages load ... curate need {ACTOR_CPUS + reserved:g} free CPUs, got {free:g} of {total:g}"
        if time.monotonic() >= deadline:
            raise StoppedError(f"{sentence}, after waiting {config.start_timeout_s:g} s")
        if not has_warned:
            _logger.warning("%s; waiting for up to %g s", sentence, config.start_timeout_s)
            has_warned = True
        time.sleep(min(_POLL_S, config.start_timeout_s))


def _count_cores() -> int:
    """Cores to use: the machine's own on a local cluster (which may count more), else what the cluster says."""
    import os

    import ray

    if len(ray.nodes()) == 1:
        return os.cpu_count() or 1
    return max(1, int(ray.cluster_resources().get("CPU", 1.0)))


def _watch(thread: threading.Thread, *, job: RowsJob, on_progress: Progress | None) -> None:
    """Reports progress until the thread ends.

    Raises:
        StoppedError: no row was committed for `stall_timeout_s`.
    """
    num_done = -1
    moved_at = time.monotonic()
    while True:
        thread.join(_POLL_S)
        is_alive = thread.is_alive()
        num_now = job.folder.num_rows_written()
        if num_now != num_done:
            num_done, moved_at = num_now, time.monotonic()
            if on_progress:
                on_progress("engine", num_done, job.num_images)
        if not is_alive:
            return
        if time.monotonic() - moved_at > job.config.stall_timeout_s:
            raise StoppedError(
                f"the stages load ... curate committed nothing for {job.config.stall_timeout_s:g} s "
                f"({num_done} of {job.num_images} images are done); look for missing CPUs or a hanging model"
            )


def describe_failure(error: BaseException) -> str:
    """The cause of a failed execution as one sentence, without Ray's remote traces."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    text = "\n".join(str(link) for link in chain)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if line.split(":", 1)[0].endswith(("Error", "Exception")) and ": " in line]
    full_disk = [line for line in lines if "No space left on device" in line]
    chosen = full_disk[-1] if full_disk else named[-1] if named else (lines[0] if lines else type(error).__name__)
    return f"the execution failed: {chosen[:300]}"
