"""The chain's decoding, counted and timed by replay of real captions: `pancap bench chain`.

First the decode steps an image, by stage: of the published loop, of transformers' prompt lookup and of ours; then what
answers cost that fall into a loop (`chain.bench.loops`); then the clock (`chain.bench.speed`). A step is a forward pass
after that of the prompt. All counts are of a batch of one, where drafts are not cut short.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pancap.chain.bench.loops import LoopBench, bench_loops
from pancap.chain.bench.replay import (
    STAGE_NAMES,
    Script,
    Scripter,
    count_steps,
    read_captioned,
    with_coordinate_tokens,
)
from pancap.chain.bench.speed import AGAIN, PLAIN, Progress, SpeedBench, bench_speed
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.drafts import LOOKUP_DRAFT, Drafter, RepeatDrafts
from pancap.llm.sentencepiece import load_sentencepiece

LOOKUP_NGRAM = 2  # transformers' default
SCHEMES = (
    "published loop",
    "transformers' prompt lookup",
    "drafts",
    "drafts, n-grams",
    "coordinate tokens",
    "coordinate tokens, drafts",
    "coordinate tokens, drafts, n-grams",
)
# Steps an image: the published means over SA-Pancap's 630 public captions are 888 and 460 for the first two schemes.
TARGETS = {"drafts, n-grams": 405, "coordinate tokens, drafts, n-grams": 417}
TARGET_FIRST_STAGES = 61
TARGET_SPEED = 6.0


@dataclass(frozen=True, kw_only=True)
class ChainBenchConfig:
    """Which captions are replayed, and how long the clock runs."""

    captions: str
    """SA-Pancap's ground truth: a JSON list of objects with image_path and gt_response."""
    limit: int | None = None
    """Replay only the first images."""
    tokenizer: str = ""
    """A SentencePiece model; empty for the 32,000 pieces of mistral_common's tokenizer.model.v1, which vLLM brings."""
    seed: int = 0
    """Of the split for the discovery stage, the loops and the timed weights."""
    loop_share: float = 0.1
    """Share of the images of which one stage falls into a loop."""
    rounds: int = 3
    """How often the timed ways take turns; 0 leaves the clock out."""
    plain_images: int = 2
    """Images of the published loop a timed round."""

    def __post_init__(self) -> None:
        """Refuses numbers that mean nothing."""
        for name, lowest in (("limit", 1), ("rounds", 0), ("plain_images", 1)):
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ValueError(f"{name} must be >= {lowest}, got {value}; set a larger number")
        if not 0 <= self.loop_share <= 1:
            raise ValueError(f"loop_share must be in 0..1, got {self.loop_share}; 0.1 lets every tenth image loop")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBench:
    """What one run found.

    Args:
        num_images: replayed.
        tokenizer: whose tokens are counted.
        seed: see the configuration.
        steps: decode steps an image, by scheme and stage.
        loops: of looping answers.
        speed: of the clock; None if it was left out.
    """

    num_images: int
    tokenizer: str
    seed: int
    steps: Mapping[str, Mapping[str, float]]
    loops: LoopBench
    speed: SpeedBench | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "num_images": self.num_images,
            "tokenizer": self.tokenizer,
            "seed": self.seed,
            "steps_per_image": {
                scheme: {**{stage: round(value, 1) for stage, value in row.items()}, "all": round(sum(row.values()), 1)}
                for scheme, row in self.steps.items()
            },
            "targets": {**TARGETS, "coordinate tokens, first three stages": TARGET_FIRST_STAGES},
            "loops": self.loops.to_dict(),
            "speed": self.speed.to_dict() if self.speed else None,
        }

    def render(self) -> str:
        """A plain table, and the same as one line of JSON."""
        found = self.to_dict()
        lines = [
            f"replay of {self.num_images} real captions, tokens of {self.tokenizer}, seed {self.seed}",
            f"{'decode steps an image':<36}" + "".join(f"{name:>8}" for name in (*STAGE_NAMES, "all")) + "   fewer",
        ]
        published = found["steps_per_image"]["published loop"]["all"]
        for scheme, row in found["steps_per_image"].items():
            target = f"   (target {TARGETS[scheme]})" if scheme in TARGETS else ""
            cells = "".join(f"{value:>8.1f}" for value in row.values())
            lines.append(f"{scheme:<36}{cells}{published / row['all']:>6.2f} x{target}")
        loops = found["loops"]
        lines += [
            f"one stage of {loops['num_looping']} images falls into a loop: p50 {loops['p50']:.0f}, p99 "
            f"{loops['p99']:.0f} steps, {loops['p99_to_p50']:.2f} x (target 2); published {loops['published_p50']:.0f} "
            f"and {loops['published_p99']:.0f}",
            f"  loops not stopped {loops['num_unstopped']}, different boxes lost {loops['num_boxes_lost']}, answers "
            f"without a loop that were cut {loops['num_cut']}",
        ]
        if self.speed:
            lines.append(
                f"wall time an image over that of pancap (replay, {self.speed.num_images} images under way, "
                f"random weights of nano's size, text coordinates, torch threads: {self.speed.num_threads}):"
            )
            for way, values in found["speed"]["time_over_pancap"].items():
                target = f"   (target {TARGET_SPEED:g})" if way == PLAIN else ""
                note = "   (below this no claim)" if way == AGAIN else ""
                spread = f"({values['low']:.2f} to {values['high']:.2f})"
                lines.append(f"  {way:<34}{values['median']:>8.2f}   {spread}{target}{note}")
        return "\n".join([*lines, json.dumps(found)])


def bench_chain(config: ChainBenchConfig, *, on_progress: Progress | None = None) -> ChainBench:
    """Replays captions.

    Raises:
        UsageError: the captions cannot be read, none has a box, or the tokenizer is missing.
    """
    name, pieces = load_sentencepiece(config.tokenizer)
    images = read_captioned(config.captions, limit=config.limit)
    text = Scripter(pieces.encode, eos=pieces.eos_id(), coordinates="text", seed=config.seed)
    tokens = Scripter(
        with_coordinate_tokens(pieces.encode, first=pieces.vocab_size()),
        eos=pieces.eos_id(),
        coordinates="tokens",
        seed=config.seed,
    )
    sums = {scheme: Counter(dict.fromkeys(STAGE_NAMES, 0)) for scheme in SCHEMES}
    for number, image in enumerate(images, start=1):
        for scripter in (text, tokens):
            for example in scripter.examples(image):
                for scheme, num_steps in _steps(scripter.script(image, example), scripter).items():
                    sums[scheme][example.stage] += num_steps
        if on_progress:
            on_progress("captions", number, len(images))
    loops = bench_loops(
        images, text, decode=pieces.decode, decoding=DecodingConfig(), share=config.loop_share, seed=config.seed
    )
    speed = None
    if config.rounds:
        speed = bench_speed(
            images,
            num_plain=config.plain_images,
            rounds=config.rounds,
            seed=config.seed,
            on_progress=on_progress,
        )
    return ChainBench(
        num_images=len(images),
        tokenizer=name,
        seed=config.seed,
        steps={
            scheme: {stage: num_steps / len(images) for stage, num_steps in row.items()} for scheme, row in sums.items()
        },
        loops=loops,
        speed=speed,
    )


def _steps(script: Script, scripter: Scripter) -> dict[str, int]:
    """Decode steps of a script, by scheme."""
    prefix = "coordinate tokens, " if scripter.coordinates == "tokens" else ""
    found = {
        f"{prefix}{name}": count_steps(
            script.answer_ids, Drafter(replace(script.drafts, ngram=ngram), prompt_ids=script.prompt_ids)
        )
        for name, ngram in (("drafts", 0), ("drafts, n-grams", DecodingConfig().draft_ngram))
    }
    one_a_step = len(script.answer_ids) - 1  # the first comes from the prompt's forward pass
    if prefix:
        return {"coordinate tokens": one_a_step, **found}
    lookup = RepeatDrafts(script.prompt_ids, longest=LOOKUP_NGRAM, num_offered=LOOKUP_DRAFT, match="first")
    num_lookup = count_steps(script.answer_ids, lookup)
    return {"published loop": one_a_step, "transformers' prompt lookup": num_lookup, **found}
