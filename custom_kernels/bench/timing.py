"""Interleaved timing, and the two rates that times are divided by."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pancap.custom_kernels.bench.case import Turn

# A turn is repeated until it lasts this long, so that the clock's own step does not show.
_MIN_TURN_S = 2e-3
_MAX_REPEATS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Microseconds of one call: median and the 20 % and 80 % rounds."""

    median_us: float
    low_us: float
    high_us: float


def time_interleaved(turns: Mapping[str, Turn], *, device: torch.device, copies: int, rounds: int) -> dict[str, Timing]:
    """Times all peers in turn, `rounds` times, after warming each up.

    Args:
        turns: by name, each `copies` calls.
        device: its events are used on a GPU, this process's processor time elsewhere: other load does not count.
        copies: calls in a turn.
        rounds: at least 1.
    """
    repeats = {}
    for name, run in turns.items():
        for _ in range(3 if device.type == "cuda" else 1):
            run()
        once = _seconds(run, device=device, repeats=1)
        repeats[name] = min(_MAX_REPEATS, max(1, round(_MIN_TURN_S / max(once, 1e-9))))
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, run in turns.items():
            seconds[name].append(_seconds(run, device=device, repeats=repeats[name]) / (repeats[name] * copies))
    return {name: _summarize(samples) for name, samples in seconds.items()}


def as_graph(run: Turn) -> Turn:
    """The same turn as the replay of a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def peak_extra_bytes(run: Turn) -> int:
    """Most memory that a turn holds beyond what was held before, on the current GPU."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of copying 1 GiB (64 MiB on the CPU)."""
    num = 1 << (30 if device.type == "cuda" else 26)
    source = torch.randint(0, 255, (num,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    timing = time_interleaved({"copy": lambda: target.copy_(source)}, device=device, copies=1, rounds=9)
    return 2 * num / (timing["copy"].median_us * 1e-6)


def matrix_rate(device: torch.device) -> float:
    """Operations a second of a bf16 product of 8192^3 (float32 of 512^3 on the CPU)."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (512, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    timing = time_interleaved({"product": lambda: left @ right}, device=device, copies=1, rounds=9)
    return 2 * size**3 / (timing["product"].median_us * 1e-6)


def _seconds(run: Turn, *, device: torch.device, repeats: int) -> float:
    if device.type != "cuda":
        started = time.process_time()
        for _ in range(repeats):
            run()
        return time.process_time() - started
    start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    for _ in range(repeats):
        run()
    stop.record()
    torch.cuda.synchronize()
    return start.elapsed_time(stop) * 1e-3


def _summarize(seconds: list[float]) -> Timing:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return Timing(
        median_us=statistics.median(ordered) * 1e6,
        low_us=ordered[round(0.2 * last)] * 1e6,
        high_us=ordered[round(0.8 * last)] * 1e6,
    )
