"""Scores of a run's checkpoints while it trains, and the best of them kept.

The loop leaves a copy of each checkpoint in OUT/.validation (links, where the disk knows them). The process that
started the run takes the newest, scores it in a thread of its own and goes on to what is then the newest, so training
never waits; the last one is always scored. What scores them is handed in: the chain knows no judge.

OUT/validation.jsonl   a line for each scored checkpoint
OUT/best/              the best of them
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from pancap.chain.training import background

VALIDATION_FILE = "validation.jsonl"
BEST_FOLDER = "best"
PENDING_FOLDER = ".validation"
Validate = Callable[[Path, Path], Mapping[str, float]]
"""(checkpoint folder, scratch folder) -> figures; `overall` among them decides which checkpoint is the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A checkpoint's figures, and the held-out data that they are of."""

    step: int
    data: str
    figures: Mapping[str, float]

    @property
    def overall(self) -> float:
        """What checkpoints are ranked by."""
        return self.figures["overall"]


def leave_for_validation(checkpoint: Path, *, out: Path, step: int) -> None:
    """Copies a whole checkpoint to where the validation finds it, under its final name only when it is complete."""
    target = _pending(out, step=step)
    unfinished = target.with_name(f".writing_{target.name}")
    for folder in (unfinished, target):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(checkpoint, unfinished, copy_function=_link_or_copy)
    unfinished.rename(target)


def forget_validation(out: Path) -> None:
    """Removes what another run in this folder has left."""
    for name in (BEST_FOLDER, PENDING_FOLDER):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / VALIDATION_FILE).unlink(missing_ok=True)


class Validator:
    """Takes checkpoints as they come; one is scored at a time.

    Args:
        out: the run's folder.
        data: what is scored on; figures of other data in the records do not count.
        validate: scores a checkpoint.
    """

    def __init__(self, out: Path, *, data: str, validate: Validate) -> None:
        """Takes up what an earlier attempt has scored."""
        self._out, self._data, self._validate = out, data, validate
        self._done = [item for item in _read_records(out / VALIDATION_FILE) if item.data == data]
        self._running: Future[Validated] | None = None
        self._error: BaseException | None = None
        self._settle()

    @property
    def best(self) -> Validated | None:
        """The best checkpoint so far, the earlier of equals."""
        return max(self._done, key=lambda item: item.overall, default=None)

    def poll(self) -> Validated | None:
        """What has been scored since the last call, if anything; then begins with a checkpoint that is new."""
        scored = self._collect() if self._running and self._running.done() else None
        if self._running is None and self._error is None and (step := self._newest()) is not None:
            self._running = self._start(step)
        return scored

    def finish(self) -> list[Validated]:
        """Waits for the last checkpoint's figures; gives what `poll` would have given.

        Raises:
            Exception: what kept a checkpoint from being scored; the training did not stop for it.
        """
        found = [scored] if (scored := self.poll()) else []
        while self._running:
            wait([self._running])
            found += [scored] if (scored := self.poll()) else []
        shutil.rmtree(self._out / PENDING_FOLDER, ignore_errors=True)
        if self._error:
            raise self._error
        return found

    def _newest(self) -> int | None:
        """Step of the newest checkpoint that waits; older ones are given up."""
        waiting = sorted((self._out / PENDING_FOLDER).glob("step_*"))
        for folder in waiting[:-1]:
            shutil.rmtree(folder)
        return int(waiting[-1].name.removeprefix("step_")) if waiting else None

    def _start(self, step: int) -> "Future[Validated]":
        def work() -> Validated:
            scratch = self._out / PENDING_FOLDER / "captions"
            figures = dict(self._validate(_pending(self._out, step=step), scratch))
            return Validated(step=step, data=self._data, figures=figures)

        return background.start(work, name="validation")

    def _collect(self) -> Validated | None:
        assert self._running is not None
        finished, self._running = self._running, None
        self._error = finished.exception()
        if self._error:
            return None
        scored = finished.result()
        record = {"step": scored.step, "data": scored.data, "figures": dict(scored.figures)}
        with (self._out / VALIDATION_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self._done.append(scored)
        self._settle()
        return scored

    def _settle(self) -> None:
        """Makes the best scored checkpoint OUT/best and removes the others; again after a kill on the way."""
        for item in self._done:
            folder = _pending(self._out, step=item.step)
            if item is self.best and folder.is_dir():
                shutil.rmtree(self._out / BEST_FOLDER, ignore_errors=True)
                folder.rename(self._out / BEST_FOLDER)
            else:
                shutil.rmtree(folder, ignore_errors=True)


def _pending(out: Path, *, step: int) -> Path:
    return out / PENDING_FOLDER / f"step_{step:07d}"


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a disk without hard links
        shutil.copy2(source, target)


def _read_records(path: Path) -> list[Validated]:
    """Scored checkpoints; a line that a kill cut off is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(Validated(**json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found
