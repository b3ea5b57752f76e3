"""Resumable states of a run: written aside, renamed when whole, the newest whole one found again."""

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pancap.chain.training.files import replace_folder

MANIFEST = "trainer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerState:
    """Where a run stands.

    Args:
        step: optimizer steps done.
        drawn: images drawn from the endless order so far, over all workers.
        elapsed_s: time spent training, over all attempts.
        skipped: steps skipped for a NaN or infinite loss.
        dropped: images left out as over-long or unreadable so far.
        made_with: settings that decide what the state holds: workers, ZeRO stage, which weights are trained.
        first_loss: mean loss of the first logged steps; None before any.
    """

    step: int = 0
    drawn: int = 0
    elapsed_s: float = 0.0
    skipped: int = 0
    dropped: int = 0
    made_with: dict[str, Any] = field(default_factory=dict)
    first_loss: float | None = None


def partial_folder(root: Path, *, step: int) -> Path:
    """Where the state after `step` is written."""
    return root / f".writing_step_{step:07d}"


def complete_state(root: Path, *, state: TrainerState, num_to_keep: int) -> None:
    """Makes a state that all workers have written one to resume from, and removes older ones."""
    partial, target = partial_folder(root, step=state.step), root / f"step_{state.step:07d}"
    with (partial / MANIFEST).open("w") as file:
        file.write(json.dumps(asdict(state)))
        file.flush()
        os.fsync(file.fileno())  # without its manifest a state is none
    replace_folder(target, by=partial)
    for old in sorted(root.glob("step_*"))[:-num_to_keep]:
        shutil.rmtree(old)


def latest_state(root: Path) -> tuple[Path, TrainerState] | None:
    """The newest whole state; one that is still being written has no manifest, or still its temporary name."""
    for folder in sorted(root.glob("step_*"), reverse=True):
        try:
            return folder, TrainerState(**json.loads((folder / MANIFEST).read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    return None


def remove_partial(root: Path) -> None:
    """Removes what an earlier attempt did not finish writing."""
    for partial in root.glob(".writing_step_*"):
        shutil.rmtree(partial)
