"""Resumable states of a run: written aside, renamed when whole, the newest whole one found again."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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


def state_folder(root: Path, *, step: int) -> Path:
    """Where the state after `step` lies."""
    return root / f"step_{step:07d}"


def latest_state(root: Path) -> tuple[Path, TrainerState] | None:
    """The newest whole state; half-written ones have no manifest, or still their temporary name."""
    for folder in sorted(root.glob("step_*"), reverse=True):
        manifest = folder / MANIFEST
        if manifest.is_file():
            return folder, TrainerState(**json.loads(manifest.read_text()))
    return None


def write_state(
    root: Path,
    *,
    state: TrainerState,
    save: Callable[[Path], None],
    is_first: bool,
    barrier: Callable[[], None],
    num_to_keep: int,
) -> None:
    """Writes one state; every worker calls it, the first one creates, completes and renames the folder.

    Args:
        root: folder of all states.
        state: goes into the manifest.
        save: writes this worker's files into the folder.
        is_first: whether this is worker 0.
        barrier: waits for the others.
        num_to_keep: older states are removed once the new one is whole.
    """
    partial = root / f".writing_step_{state.step:07d}"
    if is_first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    barrier()
    save(partial)
    barrier()
    if is_first:
        (partial / MANIFEST).write_text(json.dumps(asdict(state)))
        target = state_folder(root, step=state.step)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        for old in sorted(root.glob("step_*"))[:-num_to_keep]:
            shutil.rmtree(old)
    barrier()
