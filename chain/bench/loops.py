"""What answers cost that fall into a loop: part of `pancap bench chain`."""

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pancap.chain.bench.replay import STAGE_NAMES, Scripter, count_steps, run_away, stop_early
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.drafts import Drafter
from pancap.chain.tuples import TrainingImage

MAX_NEW_TOKENS = 1024  # of a stage in the published loop; ours gets the same
NUM_COPIES = 300  # of what is repeated: more than fit
_BOXES = re.compile(r"\[\[[\d, ]+\]\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBench:
    """Decode steps of images of which some run away in one random stage.

    Args:
        share: of the images that do.
        num_looping: so many.
        steps: all four stages of each image, ours.
        published_steps: one token a step, up to the limit.
        num_unstopped: loops that went on to the limit.
        num_cut: answers without a loop that lost something to the early stop.
        num_boxes_lost: different boxes that a looping answer had written and lost.
    """

    share: float
    num_looping: int
    steps: tuple[int, ...]
    published_steps: tuple[int, ...]
    num_unstopped: int
    num_cut: int
    num_boxes_lost: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "share": self.share,
            "num_looping": self.num_looping,
            **{f"p{share}": percentile(self.steps, share) for share in (50, 99)},
            "p99_to_p50": round(percentile(self.steps, 99) / percentile(self.steps, 50), 2),
            **{f"published_p{share}": percentile(self.published_steps, share) for share in (50, 99)},
            "num_unstopped": self.num_unstopped,
            "num_cut": self.num_cut,
            "num_boxes_lost": self.num_boxes_lost,
        }


def bench_loops(
    images: Sequence[TrainingImage],
    scripter: Scripter,
    *,
    decode: Callable[[list[int]], str],
    decoding: DecodingConfig,
    share: float,
    seed: int,
) -> LoopBench:
    """Counts the steps of every image, a share of which has one stage that runs away.

    Args:
        images: from `read_captioned`.
        scripter: with text coordinates.
        decode: ids to text.
        decoding: repeat window and drafts.
        share: of images that run away, each drawn alone.
        seed: which images, stages and places.
    """
    ours, published = [], []
    num_looping = num_unstopped = num_cut = num_boxes_lost = 0
    for image in images:
        rng = Random(f"{seed}/loop/{image.image_id}")
        looping = rng.choice(STAGE_NAMES) if rng.random() < share else None
        num_looping += looping is not None
        ours.append(0)
        published.append(0)
        for example in scripter.examples(image):
            is_looping = example.stage == looping
            if is_looping:
                example = run_away(example, rng=rng, num_copies=NUM_COPIES)
            script = scripter.script(image, example)
            written = script.answer_ids[:MAX_NEW_TOKENS]
            kept, num_written = stop_early(written, limit=MAX_NEW_TOKENS, window=decoding.repeat_window)
            drafter = Drafter(replace(script.drafts, ngram=decoding.draft_ngram), prompt_ids=script.prompt_ids)
            ours[-1] += count_steps(written[:num_written], drafter)
            published[-1] += len(written) - 1
            if is_looping:
                num_unstopped += num_written == MAX_NEW_TOKENS
                before, after = (find_boxes(decode(list(ids))) for ids in (written, kept))
                num_boxes_lost += len(before - after)
            else:
                num_cut += len(kept) < num_written
    return LoopBench(
        share=share,
        num_looping=num_looping,
        steps=tuple(ours),
        published_steps=tuple(published),
        num_unstopped=num_unstopped,
        num_cut=num_cut,
        num_boxes_lost=num_boxes_lost,
    )


def find_boxes(text: str) -> set[str]:
    """The different whole boxes of an answer with text coordinates."""
    return set(_BOXES.findall(text))


def percentile(values: Sequence[int], share: int) -> float:
    """A percentile of at least two values; of one value that value."""
    return float(statistics.quantiles(values, n=100, method="inclusive")[share - 1] if len(values) > 1 else values[0])
