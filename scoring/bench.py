"""How long the deterministic part of scoring takes, against the published scripts' way of encoding tags.

The published scripts encode every tag of every image alone, in each of three runs; that is 83 % of their time. The peer
here is that loop alone, with transformers and the same weights, so the ratio is a lower bound.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pancap.configs.errors import UsageError

NUM_PUBLISHED_RUNS = 3
NUM_SAMPLED_CALLS = 200
# Prints the seconds of a second replay, when every tag is encoded, and the largest memory in kB.
_OURS = """
import sys, time
from pathlib import Path
from pancap.scoring.replay_files import replay_files
names = ("candidate_content", "reference_questions", "candidate_answers", "reference_answers")
for _ in range(2):
    start = time.process_time()
    replay_files(**dict(zip(names, sys.argv[1:])), rules="official")
print(time.process_time() - start)
print(next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayBench:
    """Processor seconds, one thread, of the same inputs.

    Args:
        num_images: of the references.
        num_calls: tags that one published run encodes, one a call.
        num_tags: distinct ones.
        ours_s: a replay in a process of its own, imports and files included; median.
        ours_low_s, ours_high_s: its fastest and slowest round.
        matching_s: of it without imports and encoding: reading, matching, counting; median.
        peak_mb: its largest memory.
        call_ms: one encoding of one tag by transformers; median over rounds.
        peer_s: three runs' worth of them, without imports, files or matching.
    """

    num_images: int
    num_calls: int
    num_tags: int
    ours_s: float
    ours_low_s: float
    ours_high_s: float
    matching_s: float
    peak_mb: float
    call_ms: float
    peer_s: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "ratio": self.peer_s / self.ours_s}

    def render(self) -> str:
        """A plain table."""
        return "\n".join(
            [
                f"{self.num_images} images, {self.num_calls:,} tags, {self.num_tags:,} of them distinct; CPU seconds",
                f"  this replay, start to end        {self.ours_s:8.2f}   ({self.ours_low_s:.2f} to "
                f"{self.ours_high_s:.2f}), {self.peak_mb:.0f} MB",
                f"    of it reading, matching, counting {self.matching_s:5.2f}",
                f"  one tag a call, {NUM_PUBLISHED_RUNS} runs, no more  {self.peer_s:8.2f}   "
                f"({self.call_ms:.2f} ms a call)",
                f"  ratio, at least                  {self.peer_s / self.ours_s:8.1f}",
            ]
        )


def bench_replay(
    *,
    candidate_content: Path,
    reference_questions: Path,
    candidate_answers: Path,
    reference_answers: Path,
    rounds: int = 5,
    on_progress: Callable[[str, int, int | None], None] | None = None,
) -> ReplayBench:
    """Measures both in turn, `rounds` times.

    Args:
        candidate_content, reference_questions, candidate_answers, reference_answers: see `replay_files`.
        rounds: how often.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: a file cannot be read, lacks an image, or no entity is named.
    """
    import torch

    from pancap.scoring.encoder import TransformersEncoder, find_minilm
    from pancap.scoring.published_lines import read_content
    from pancap.scoring.replay_files import read_together

    paths = {"candidate_content": candidate_content, "reference_questions": reference_questions}
    paths |= {"candidate_answers": candidate_answers, "reference_answers": reference_answers}
    texts = read_together(paths)
    torch.set_num_threads(1)
    references, candidates = texts["reference_questions"], texts["candidate_content"]
    tags = [
        tag
        for image, text in references.items()
        for side in (text, candidates[image])
        for tag in read_content(side).entities.values()
    ]
    if not tags:
        raise UsageError(f"{reference_questions} and {candidate_content} name no entity; there is nothing to time")
    peer = TransformersEncoder(find_minilm())
    sampled = tags[:: max(1, len(tags) // NUM_SAMPLED_CALLS)]
    peer.encode(sampled[:10])
    files = [str(path) for path in paths.values()]
    ours, matching, peaks_kb, calls_ms = [], [], [], []
    for turn in range(rounds):
        whole_s, matching_s, peak_kb = _time_replay(files)
        ours.append(whole_s)
        matching.append(matching_s)
        peaks_kb.append(peak_kb)
        start = time.process_time()
        for tag in sampled:
            peer.encode([tag])
        calls_ms.append(1000 * (time.process_time() - start) / len(sampled))
        if on_progress:
            on_progress("rounds", turn + 1, rounds)
    call_ms = statistics.median(calls_ms)
    return ReplayBench(
        num_images=len(references),
        num_calls=len(tags),
        num_tags=len(set(tags)),
        ours_s=statistics.median(ours),
        ours_low_s=min(ours),
        ours_high_s=max(ours),
        matching_s=statistics.median(matching),
        peak_mb=max(peaks_kb) / 1024,
        call_ms=call_ms,
        peer_s=NUM_PUBLISHED_RUNS * len(tags) * call_ms / 1000,
    )


def _time_replay(files: Sequence[str]) -> tuple[float, float, float]:
    """CPU seconds of a replay in a process of its own, of it matching alone, and its largest memory in kB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = subprocess.check_output([sys.executable, "-c", _OURS, *files], env=_one_thread(), text=True).split()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    matching_s, peak_kb = map(float, printed)
    # The process replays a second time, when every tag is encoded.
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - matching_s, matching_s, peak_kb


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
