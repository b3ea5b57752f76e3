"""Real captions as scripts: what the chain's four stages would write, for counting steps without a model.

How many steps a decoder takes depends on the text that it writes, and random weights write none. So the next token is
taken from a script, and a draft counts as far as it is what the script holds. Images are not looked at: all are taken
for squares.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from pancap.chain.boxtokens import TOKEN_BOX, BoxCodec
from pancap.chain.config import Coordinates
from pancap.chain.data.datasets import read_described
from pancap.chain.data.named_images import Described, LeftOutError, NamedImage
from pancap.chain.decoding.answers import add_token
from pancap.chain.decoding.drafts import DraftRules, DraftSource, Encode, Speller, common_start
from pancap.chain.stages import STAGES, STAGES_OF_MODE, StageName
from pancap.chain.tuples import StageExample, TrainingImage, make_examples
from pancap.configs import UsageError

STAGE_NAMES = STAGES_OF_MODE["chain"]

_ENTRY_ENDS = re.compile(r"(?<=</box>)")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])(?=\s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A stage's answer that a decoder is to write.

    Args:
        stage: which one.
        prompt_ids: before it.
        answer_ids: the answer with its end.
        drafts: what drafts of it are made of.
    """

    stage: StageName
    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    drafts: DraftRules


class Scripter:
    """Turns images with captions into scripts.

    Args:
        encode: text to ids, nothing added.
        eos: id that ends an answer.
        coordinates: how boxes are spelled.
        seed: of the split for the discovery stage.
    """

    def __init__(self, encode: Encode, *, eos: int, coordinates: Coordinates, seed: int) -> None:
        """Learns how each stage spells its boxes."""
        self.encode = encode
        self.eos = eos
        self.coordinates: Coordinates = coordinates
        self.seed = seed
        self.spellers = {stage: Speller(encode, stage=stage, coordinates=coordinates) for stage in STAGE_NAMES}

    def examples(self, image: TrainingImage) -> tuple[StageExample, ...]:
        """Prompt and answer of each stage, in text."""
        return make_examples(image, coordinates=self.coordinates, mode="chain", order="caption", seed=self.seed)

    def script(self, image: TrainingImage, example: StageExample) -> Script:
        """An example in ids; drafts are made of boxes and literals alone."""
        speller = self.spellers[example.stage]
        codec = BoxCodec(coordinates=self.coordinates, width=image.width, height=image.height)
        known = image.instances if example.stage in ("tag", "cap") else ()
        return Script(
            stage=example.stage,
            prompt_ids=tuple(self.encode(f"{example.prompt}\n")),
            answer_ids=(*self.encode(example.answer), self.eos),
            drafts=DraftRules(
                stage=example.stage,
                spelling=speller.spelling,
                known=tuple(speller.known(tag=item.tag, units=codec.to_units(item.box)) for item in known),
                eos=self.eos,
                ngram=0,
            ),
        )


def read_captioned(path: str | Path, *, limit: int | None = None) -> list[TrainingImage]:
    """Images of a dataset in JSON as far as it tells; those without any box are left out.

    Args:
        path: SA-Pancap's captions, or LLaVA samples of the four stages.
        limit: at most so many of them.

    Raises:
        UsageError: not such a file, or no caption in it has a box.
    """
    described = read_described(path)
    found = [image for item in described if (image := _to_image(item)) is not None]
    if not found:
        raise UsageError(f"{path} has no caption with a box, out of {len(described)}; there is nothing to replay")
    return found[:limit]


def with_coordinate_tokens(encode: Encode, *, first: int) -> Encode:
    """A tokenizer that writes a box as five ids: `first`, and those of its coordinates, `first + 1` for 0."""
    num_anchor = len(encode("\n"))

    def encode_both(text: str) -> list[int]:
        ids: list[int] = []
        end = 0
        for match in TOKEN_BOX.finditer(text):
            ids += encode_between(text[end : match.start()], is_first=not end)
            ids += [first, *(first + 1 + int(unit) for unit in match.groups())]
            end = match.end()
        return ids + encode_between(text[end:], is_first=not end)

    def encode_between(text: str, *, is_first: bool) -> list[int]:
        """Behind a line break, which no piece is glued to: SentencePiece would begin a text with a blank."""
        return list(encode(text) if is_first else encode(f"\n{text}")[num_anchor:])

    return encode_both


def count_steps(answer_ids: Sequence[int], source: DraftSource) -> int:
    """Forward passes after the prompt's that write an answer with its end; the prompt's may carry a draft too."""
    num_steps, num_written = -1, 0
    while num_written < len(answer_ids):
        left = answer_ids[num_written:]
        accepted = left[: len(common_start(source.propose(), left)) + 1]
        for token in accepted:
            source.advance(token)
        num_written += len(accepted)
        num_steps += 1
    return num_steps


def run_away(example: StageExample, *, rng: Random, num_copies: int) -> StageExample:
    """An answer that falls into a loop: cut at a random place, its last box entry or sentence written again and again.

    Args:
        example: a stage's prompt and right answer.
        rng: decides the place.
        num_copies: of what is repeated.
    """
    is_caption = STAGES[example.stage].gives == "caption"
    parts = [part for part in (_SENTENCE_ENDS if is_caption else _ENTRY_ENDS).split(example.answer) if part]
    num_kept = rng.randint(1, len(parts))
    looped = parts[num_kept - 1]
    if num_kept == 1 and not is_caption:  # an entry that begins the list has no separator before it
        looped = f", {looped}"
    return replace(example, answer="".join(parts[:num_kept]) + looped * num_copies)


def stop_early(answer_ids: Sequence[int], *, limit: int, window: int) -> tuple[list[int], int]:
    """What decoding keeps of a looping answer, and how many tokens of it were written before it stopped."""
    kept: list[int] = []
    for num_written, token in enumerate(answer_ids, start=1):
        if not add_token(kept, token, limit=limit, window=window):
            return kept, num_written
    return kept, len(answer_ids)


def _to_image(item: Described) -> TrainingImage | None:
    try:
        return item.to_image(NamedImage(path=Path(item.name), image_id=item.name, width=1, height=1))
    except LeftOutError:
        return None
