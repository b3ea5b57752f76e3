"""States saved while the training goes on: a thread of each worker copies its part in memory, then writes the copy.

Only the next update of the weights waits for the copy, which is made beside the forward pass before it. No worker
waits for another while files are written. After each step, all agree (one all-reduce) on how far they are: once every
part is written, worker 0's thread makes the state one to resume from and writes the model beside it.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.training import background
from pancap.chain.training.copies import Copies
from pancap.chain.training.states import TrainerState, complete_state, partial_folder, remove_partial
from pancap.configs import StoppedError

if TYPE_CHECKING:
    import torch

    from pancap.chain.training.engines import TrainEngine

Publish = Callable[[TrainerState, "Mapping[str, torch.Tensor]"], None]
"""(state, weights of the model in the machine's memory) -> None; writes the model for people, on worker 0."""
Copied = tuple[dict[Path, Any], "Mapping[str, torch.Tensor]"]
# What a worker reports of its part: written, not yet, or 1 + the number of the error that kept it from being written.
WRITTEN, WRITING, FAILED = 0.0, 0.5, 1.0


class StateSaver:
    """Writes states of all workers in the background, one at a time.

    Args:
        root: folder of all states.
        engine: whose state it is.
        num_to_keep: older states are removed once a new one is whole.
        publish: writes the model as it is in a state.
    """

    def __init__(self, root: Path, *, engine: "TrainEngine", num_to_keep: int, publish: Publish) -> None:
        """Clears away what an earlier attempt left half-written."""
        self._root, self._engine, self._num_to_keep, self._publish = root, engine, num_to_keep, publish
        self._copies = Copies()
        self._copied: Future[Copied] | None = None
        self._running: Future[None] | None = None
        self._next: Callable[[], None] | None = None
        if engine.rank == 0:
            remove_partial(root)

    @property
    def is_busy(self) -> bool:
        """Whether a state is not whole yet, or its model not written."""
        return self._running is not None

    def save(self, state: TrainerState) -> None:
        """Begins to copy and write everything as it is now; every worker calls it, after the same step.

        Nothing of it may change before `wait_for_copy` has returned.

        Raises:
            StoppedError: the state before could not be written.
        """
        self.finish()
        files = self._engine.state(partial_folder(self._root, step=state.step))
        weights = self._engine.weights(self._copies)
        copied = background.start(lambda: self._copy(files, weights), name="copying")

        def complete() -> None:
            if self._engine.rank == 0:
                complete_state(self._root, state=state, num_to_keep=self._num_to_keep)
                self._publish(state, copied.result()[1])

        self._step, self._copied, self._next = state.step, copied, complete
        self._running = background.start(lambda: _write(copied.result()[0]), name="saving")

    def wait_for_copy(self) -> None:
        """Waits until weights and optimizer may change again."""
        if self._copied is not None:
            wait([self._copied])
            self._copied = None

    def _copy(self, files: dict[Path, Any], weights: "Mapping[str, torch.Tensor]") -> Copied:
        copied: Copied = self._copies.tree((files, weights))
        self._copies.end_round()
        return copied

    def poll(self) -> None:
        """Takes a state that is being written on, if all workers are ready; every worker calls it after each step.

        Raises:
            StoppedError: on every worker, when one could not write its part.
        """
        if self._running is None:
            return
        slowest = self._engine.largest(_report(self._running))
        if slowest >= FAILED:
            self._stop(int(slowest - FAILED))
        if slowest == WRITTEN:
            self._running = background.start(self._next, name="saving") if self._next else None
            self._next = None

    def finish(self) -> None:
        """Waits until the last state is whole and the model written; every worker calls it.

        Raises:
            StoppedError: as `poll`.
        """
        while self._running is not None:
            wait([self._running])
            self.poll()

    def _stop(self, number: int) -> None:
        assert self._running is not None
        error = _cause(self._running.exception()) if self._running.done() else None
        if self._engine.rank == 0:
            shutil.rmtree(partial_folder(self._root, step=self._step), ignore_errors=True)
        part = "state" if self._next else "state, or the model beside it,"
        reason = error or (os.strerror(number) if number else "another worker failed")
        raise StoppedError(
            f"the {part} after step {self._step} could not be written under {self._root.parent}: {reason}; "
            "mend that, then run it again with resume=true"
        ) from error


def _write(files: Mapping[Path, Any]) -> None:
    """Writes each file through to the disk."""
    import torch

    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())


def _report(part: "Future[None]") -> float:
    if not part.done():
        return WRITING
    error = _cause(part.exception())
    return WRITTEN if error is None else FAILED + (getattr(error, "errno", None) or 0)


def _cause(error: BaseException | None) -> BaseException | None:
    """The system's own error, where there is one below a writer's complaint."""
    link = error
    while link is not None and not getattr(link, "errno", None):
        link = link.__cause__ or link.__context__
    return link or error
