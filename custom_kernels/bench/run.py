"""Checks every op, then times it against its peers; what `pancap bench kernels` and this folder's script call."""

import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch

from pancap.custom_kernels.bench.case import Case, Check, OpBench
from pancap.custom_kernels.bench.peers import versions
from pancap.custom_kernels.bench.timing import (
    Timing,
    as_graph,
    copy_bandwidth,
    matrix_rate,
    peak_extra_bytes,
    time_interleaved,
)

OPS = ("box_decode", "box_loss", "pairwise_iou", "nms", "roi_align", "linear_cross_entropy")

NO_GPU = "no GPU: toy shapes on the CPU, torch path only; no figure here says anything about a GPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One peer at one shape.

    Args:
        op, shape, dtype: what was run.
        peer: who; the first of a case is ours, "again" is ours a second time: a difference below it is no claim.
        mode: "eager" or "graph".
        timing: of one call.
        gb_per_s, tflop_per_s: least bytes and operations over the median time.
        share: of the floor: the larger of bytes / copy bandwidth and operations / matrix rate, over the time.
        peak_bytes: extra memory of a call; None on the CPU and in graphs.
        speedup: this peer's median over ours in the same mode; 1 for us.
    """

    op: str
    shape: str
    dtype: str
    peer: str
    mode: str
    timing: Timing
    gb_per_s: float
    tflop_per_s: float
    share: float
    peak_bytes: int | None
    speedup: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelsBench:
    """Everything that one run found.

    Args:
        machine: device, versions, commit, measured ceilings.
        note: what the figures are no evidence of; None on a GPU.
        checks: comparisons with the reference.
        rows: times.
    """

    machine: dict[str, Any]
    note: str | None
    checks: tuple[Check, ...]
    rows: tuple[Row, ...]

    @property
    def is_correct(self) -> bool:
        """Whether every check passed."""
        return all(check.is_passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "machine": self.machine,
            "note": self.note,
            "is_correct": self.is_correct,
            "checks": [asdict(check) for check in self.checks],
            "rows": [asdict(row) for row in self.rows],
        }

    def json_lines(self) -> Iterator[str]:
        """One line an op."""
        for op in dict.fromkeys(row.op for row in self.rows):
            rows = [asdict(row) for row in self.rows if row.op == op]
            yield json.dumps({"op": op, "note": self.note, "machine": self.machine, "rows": rows})

    def render(self) -> str:
        """Tables for people, then the JSON lines."""
        lines = [f"{key}: {value}" for key, value in self.machine.items()]
        failed = [check for check in self.checks if not check.is_passed]
        lines.append(f"correct: {len(self.checks) - len(failed)} of {len(self.checks)} checks against float64")
        lines += [f"  FAILED {check.name}: {check.error:.2e} > {check.limit:.0e}" for check in failed]
        if self.note:
            lines.append(f"note: {self.note}")
        columns = ("us", 11), ("20 %", 11), ("80 %", 11), ("GB/s", 8), ("TFLOP/s", 9), ("floor", 7), ("MB", 8), ("x", 7)
        heading = f"{'peer':<24}{'mode':<7}" + "".join(f"{name:>{size}}" for name, size in columns)
        last = None
        for row in self.rows:
            if (row.op, row.shape, row.dtype) != last:
                last = (row.op, row.shape, row.dtype)
                lines += ["", f"{row.op}  {row.shape}  {row.dtype}", heading]
            memory = "-" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.1f}"
            lines.append(
                f"{row.peer:<24}{row.mode:<7}{row.timing.median_us:>11.1f}{row.timing.low_us:>11.1f}"
                f"{row.timing.high_us:>11.1f}{row.gb_per_s:>8.0f}{row.tflop_per_s:>9.2f}{row.share:>7.0%}"
                f"{memory:>8}{row.speedup:>7.2f}"
            )
        return "\n".join([*lines, "", *self.json_lines()])


def bench_kernels(
    *,
    ops: Sequence[str] = OPS,
    device: str | None = None,
    rounds: int = 15,
    on_progress: Callable[[str, int, int | None], None] | None = None,
) -> KernelsBench:
    """Checks and times ops on one device.

    Args:
        ops: some of `OPS`.
        device: "cuda" or "cpu"; None takes a GPU where there is one.
        rounds: times that each peer is measured.
        on_progress: called with (op, cases done, None).

    Raises:
        ValueError: an unknown op.
    """
    unknown = set(ops) - set(OPS)
    if unknown:
        raise ValueError(f"ops must be among {', '.join(OPS)}, got {', '.join(sorted(unknown))}")
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    bandwidth, rate = copy_bandwidth(target), matrix_rate(target)
    checks: list[Check] = []
    rows: list[Row] = []
    for op in ops:
        module = cast(OpBench, import_module(f"pancap.custom_kernels.{op}.bench"))
        checks += module.checks(target)
        for done, case in enumerate(module.cases(target), start=1):
            rows += _measure(case, device=target, rounds=rounds, bandwidth=bandwidth, rate=rate)
            if on_progress:
                on_progress(op, done, None)
            del case
            if target.type == "cuda":
                torch.cuda.empty_cache()
    return KernelsBench(
        machine=_describe(target, bandwidth=bandwidth, rate=rate),
        note=None if target.type == "cuda" else NO_GPU,
        checks=tuple(checks),
        rows=tuple(rows),
    )


def _measure(case: Case, *, device: torch.device, rounds: int, bandwidth: float, rate: float) -> list[Row]:
    ours = next(iter(case.turns))
    turns = {**case.turns, f"{ours} again": case.turns[ours]}
    modes = {"eager": turns}
    if device.type == "cuda" and case.is_graphable:
        for run in turns.values():
            run()
        modes["graph"] = {name: as_graph(run) for name, run in turns.items() if name not in case.waiting}
    floor_s = max(case.num_bytes / bandwidth, case.num_flops / rate)
    rows = []
    for mode, peers in modes.items():
        timings = time_interleaved(peers, device=device, copies=case.copies, rounds=rounds)
        for name, timing in timings.items():
            seconds = timing.median_us * 1e-6
            has_memory = device.type == "cuda" and mode == "eager"
            rows.append(
                Row(
                    op=case.op,
                    shape=case.shape,
                    dtype=case.dtype,
                    peer=name,
                    mode=mode,
                    timing=timing,
                    gb_per_s=case.num_bytes / seconds / 1e9,
                    tflop_per_s=case.num_flops / seconds / 1e12,
                    share=floor_s / seconds,
                    peak_bytes=peak_extra_bytes(peers[name]) if has_memory else None,
                    speedup=timing.median_us / timings[ours].median_us,
                )
            )
    return rows


def _describe(device: torch.device, *, bandwidth: float, rate: float) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU {platform.machine()}"
    return {
        "device": name,
        "torch": torch.__version__,
        **versions(),
        "python": platform.python_version(),
        "commit": _commit(),
        "copy_gb_per_s": round(bandwidth / 1e9, 1),
        "matrix_tflop_per_s": round(rate / 1e12, 2),
        "command": "python -m pancap.custom_kernels.bench",
    }


def _commit() -> str:
    """Commit of the checkout that this file lies in, with + for changes; "unknown" outside one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")
