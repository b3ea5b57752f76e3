"""Scores of a run's checkpoints while it trains, and the best of them kept.

One checkpoint at a time is scored in a thread of the process that started the run, so training never waits; of those
that come meanwhile only the newest is scored next, and the last one always. What scores them is handed in: the chain
knows no judge.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from pancap.chain.model import META_FILE

VALIDATION_FILE = "validation.jsonl"
Validate = Callable[[Path, Path], Mapping[str, float]]
"""(checkpoint folder, scratch folder) -> figures; `overall` among them decides which checkpoint is the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A checkpoint's figures."""

    step: int
    figures: Mapping[str, float]

    @property
    def overall(self) -> float:
        """What checkpoints are ranked by."""
        return self.figures["overall"]


class Validator:
    """Follows the checkpoint folder of a run.

    OUT/validation.jsonl has a line for each scored checkpoint; a resumed run reads it and goes on.

    Args:
        out: the run's folder.
        validate: scores a checkpoint.
    """

    def __init__(self, out: Path, *, validate: Validate) -> None:
        """Takes up what an earlier attempt has scored."""
        self._checkpoint, self._best_folder, self._scratch = out / "checkpoint", out / "best", out / ".validation"
        self._records, self._validate = out / VALIDATION_FILE, validate
        self._done = [Validated(**json.loads(line)) for line in self._lines()]
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="validation")
        self._running: Future[Validated] | None = None
        self._error: BaseException | None = None

    @property
    def best(self) -> Validated | None:
        """The best checkpoint so far, the earlier of equals."""
        return max(self._done, key=lambda item: item.overall, default=None)

    def poll(self) -> Validated | None:
        """What has been scored since the last call, if anything; then begins with a checkpoint that is new."""
        scored = self._collect() if self._running and self._running.done() else None
        if self._running is None and self._error is None and (step := self._take()) is not None:
            self._running = self._pool.submit(self._score, step)
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
        self._pool.shutdown()
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._error:
            raise self._error
        return found

    def _collect(self) -> Validated | None:
        assert self._running is not None
        finished, self._running = self._running, None
        self._error = finished.exception()
        if self._error:
            return None
        scored = finished.result()
        self._record(scored)
        return scored

    def _take(self) -> int | None:
        """Links the newest checkpoint's files aside, where the run will not replace them; its step, None if known."""
        taken = self._scratch / "checkpoint"
        try:
            step = _step_of(self._checkpoint)
            if any(item.step == step for item in self._done):
                return None
            shutil.rmtree(self._scratch, ignore_errors=True)
            shutil.copytree(self._checkpoint, taken, copy_function=os.link)
            return step if _step_of(taken) == step else None
        except (FileNotFoundError, shutil.Error):
            return None  # being replaced just now: the next call finds it

    def _score(self, step: int) -> Validated:
        figures = self._validate(self._scratch / "checkpoint", self._scratch / "captions")
        return Validated(step=step, figures=dict(figures))

    def _record(self, scored: Validated) -> None:
        self._done.append(scored)
        with self._records.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": scored.step, "figures": dict(scored.figures)}) + "\n")
        if self.best is scored:
            shutil.rmtree(self._best_folder, ignore_errors=True)
            (self._scratch / "checkpoint").rename(self._best_folder)

    def _lines(self) -> list[str]:
        return self._records.read_text(encoding="utf-8").splitlines() if self._records.is_file() else []


def _step_of(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / META_FILE).read_text())["provenance"]["steps"])
