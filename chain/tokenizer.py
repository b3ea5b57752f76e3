"""The chain's tokenizer: byte-level BPE, digits one by one, each fixed prompt and each coordinate one token.

Ids are made and read back here for converted checkpoints too, whose tokenizer is Llama's (`chain.conversion`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.caption.boxes import LETTERBOX_UNITS
from pancap.chain.boxtokens import without_boxes
from pancap.chain.config import Coordinates
from pancap.chain.layouts import LAYOUTS, LayoutName
from pancap.chain.stages import NO_INSTANCES, STAGES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNK, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
BOX, BOX_END = "<box>", "</box>"
NUM_COORDINATES = LETTERBOX_UNITS + 1

# Words with their leading space, single digits with theirs, runs of punctuation, single line breaks, other spaces.
WORDS = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\n|[^\S\n]+"
BOX_BLANKS = re.compile(r"\s*<box>\s*(?P<inside>[^<]*?)\s*</box>(?:\s+(?=[,.;:!?)]))?")
DIGITS_SAMPLE = "[[" + ", ".join("0123456789") + "]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIds:
    """The ids that training and decoding need by name; in text form `coordinates` is empty and `box` may be -1."""

    pad: int
    bos: int
    eos: int
    image: int
    box: int
    coordinates: range


def train_tokenizer(
    captions: Iterable[str], *, vocabulary_size: int = 2048, coordinates: Coordinates = "tokens"
) -> "PreTrainedTokenizerFast":
    """Learns a tokenizer from captions in SA-Pancap form (their boxes are cut out first).

    Args:
        captions: the training captions, and any tags that do not occur in them.
        vocabulary_size: text tokens, bytes and special tokens included; prompts and coordinates come on top.
        coordinates: `tokens` adds `<box>` and `<c0>` ... `<c1000>`, the last ids; `text` adds `<box>` and `</box>`.

    Returns:
        The same tokenizer for the same captions in the same order.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[PAD, BOS, EOS, UNK, IMAGE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    texts = [*without_boxes(captions), NO_INSTANCES, NO_INSTANCES]
    if coordinates == "text":
        texts += [DIGITS_SAMPLE] * len(texts)
    core.train_from_iterator(texts, trainer)
    added = [BOX, BOX_END, *(stage.head for stage in STAGES.values())]
    if coordinates == "tokens":
        added.remove(BOX_END)
        added += [f"<c{value}>" for value in range(NUM_COORDINATES)]
    core.add_tokens([AddedToken(text, normalized=False, special=False) for text in added])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        additional_special_tokens=[IMAGE],
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def token_ids(tokenizer: "PreTrainedTokenizerFast") -> TokenIds:
    """The named ids of a chain's tokenizer.

    Raises:
        ValueError: the tokenizer lacks one of them.
    """
    vocabulary = tokenizer.get_vocab()
    first = vocabulary.get("<c0>")
    found = {
        "a padding token": tokenizer.pad_token_id,
        "a begin token": tokenizer.bos_token_id,
        "an end token": tokenizer.eos_token_id,
        IMAGE: vocabulary.get(IMAGE),
        BOX: vocabulary.get(BOX, -1 if first is None else None),
    }
    missing = [name for name, token in found.items() if token is None]
    if missing:
        raise ValueError(f"a chain's tokenizer needs {', '.join(missing)}; train it with pancap.chain.tokenizer")
    pad, bos, eos, image, box = found.values()
    coordinates = range(0) if first is None else range(first, first + NUM_COORDINATES)
    return TokenIds(pad=pad, bos=bos, eos=eos, image=image, box=box, coordinates=coordinates)


def encode(tokenizer: "PreTrainedTokenizerFast", text: str) -> list[int]:
    """Ids of a text, nothing added."""
    return list(tokenizer.encode(text, add_special_tokens=False))


def decode(tokenizer: "PreTrainedTokenizerFast", ids: Sequence[int]) -> str:
    """Text of ids, without padding, begin, end, unknown and image tokens; other added tokens are part of the text.

    Llama's tokenizer loses which blanks stood around added tokens (`<box>`): they come back as the chain writes boxes.
    """
    silent = {tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}
    silent.add(tokenizer.convert_tokens_to_ids(IMAGE))
    shown = [token for token in ids if token not in silent]
    text = str(tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False))
    return BOX_BLANKS.sub(lambda match: f"{' ' if match.start() else ''}<box>{match['inside']}</box>", text)


def encode_prefix(
    tokenizer: "PreTrainedTokenizerFast", *, num_image_tokens: int, layout: LayoutName = "plain"
) -> list[int]:
    """Ids of the prefix that all stages of an image share."""
    named, texts = token_ids(tokenizer), LAYOUTS[layout]
    before, after = (encode(tokenizer, text) if text else [] for text in (texts.before_image, texts.after_image))
    return [named.bos, *before, *[named.image] * num_image_tokens, *after]


def encode_prompt(tokenizer: "PreTrainedTokenizerFast", prompt: str, *, layout: LayoutName = "plain") -> list[int]:
    """Ids of a branch up to where the answer begins."""
    texts = LAYOUTS[layout]
    return encode(tokenizer, f"{texts.before_prompt}{prompt}{texts.after_prompt}")


def encode_answer(tokenizer: "PreTrainedTokenizerFast", answer: str, *, layout: LayoutName = "plain") -> list[int]:
    """Ids of an answer with its end, as they follow those of the prompt."""
    texts = LAYOUTS[layout]
    num_before = len(encode(tokenizer, texts.after_prompt))
    whole = encode(tokenizer, f"{texts.after_prompt}{texts.before_answer}{answer}")
    return [*whole[num_before:], int(tokenizer.eos_token_id)]
