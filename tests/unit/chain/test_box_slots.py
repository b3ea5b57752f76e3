"""vLLM's sampler is held to boxes; the engine itself is in tests/integration/chain/test_vllm_captions.py."""

from random import Random

import pytest
import torch

from pancap.caption.formats import asmv2
from pancap.chain.backends.box_slots import TextSlots, TokenSlots, continues_box, read_slots
from pancap.chain.boxtokens import BoxCodec

LIMITS = (0, 250, 1000, 750)  # of an image twice as wide as high
SPECIAL = ["</s>", "<box>", "</box>", " cat", ",", " "]
PIECES = {
    "digits": [*"0123456789", "[[", "]]", "[", "]", ", "],
    "SentencePiece": [*"0123456789", "▁[[", "[[", "]]", "▁", "]]</", "box", ">", "]", "["],
    "numbers": [*map(str, range(1001)), "[[", "]]", "Ġ", "ĠĠ", "],", "[[1", ", 2"],
}


def text_of(token):
    return token.replace("▁", " ").replace("Ġ", " ")


def write_boxes(slots, tokens, *, seed, num_tokens=200):
    """Tokens drawn at random from what is left of random scores; the likeliest text of a model that knows nothing."""
    generator = torch.Generator().manual_seed(seed)
    rng, output = Random(seed), []
    for _ in range(num_tokens):
        logits = torch.randn(len(tokens), generator=generator)
        if not output or rng.random() < 0.2:
            logits[tokens.index("<box>")] += 9
        output.append(int(slots.mask(output, logits, limits=LIMITS).argmax()))
    return [tokens[token] for token in output]


@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("seed", range(2))
def test_no_scores_can_spoil_a_box_of_digits_however_a_tokenizer_cuts_them(kind, seed):
    """R26."""
    tokens = list(dict.fromkeys([*SPECIAL, *PIECES[kind]]))
    slots = read_slots({token: index for index, token in enumerate(tokens)})
    assert isinstance(slots, TextSlots)
    text = "".join(map(text_of, write_boxes(slots, tokens, seed=seed)))
    text = text[: text.rindex("</box>") + len("</box>")]
    parsed = asmv2.parse(text, width=200, height=100)
    assert len(parsed.boxes) == text.count("<box>") >= 5
    assert {drop.reason for drop in parsed.dropped} <= {"stray"}  # </box> without a box


@pytest.mark.parametrize("seed", range(3))
def test_no_scores_can_spoil_a_box_of_coordinate_tokens(seed):
    tokens = ["</s>", "<box>", " cat", ",", *(f"<c{value}>" for value in range(1001)), " dog"]
    slots = read_slots({token: index for index, token in enumerate(tokens)})
    assert isinstance(slots, TokenSlots)
    written = write_boxes(slots, tokens, seed=seed)
    text = "".join(written[: len(written) - written[::-1].index("<box>") - 1])
    codec = BoxCodec(coordinates="tokens", width=200, height=100)
    assert text.count("<box>") >= 10
    assert codec.dropped(text) == ()


@pytest.mark.parametrize("text", ["[[10, 260, 20, 300]]</box>", "[[0, 250, 1000, 750]]</box>", "[[10, 260, 2", "[", ""])
def test_the_beginning_of_a_box_may_go_on(text):
    assert all(continues_box(text[:end], LIMITS) for end in range(len(text) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[1",
        "[[1000, ",  # no room for the right edge
        "[[10, 240, ",  # in the padding
        "[[10, 260, 10, ",
        "[[10, 260, 20, 260]]",
        "[[010",
        "[[1,2",
        "[[1  ",
        "[[1, 260]]",
        "[[10, 260, 20, 300, ",
        "[[10, 260, 20, 300]] </box>",
        "[[10, 260, 20, 300]]</box>,",
    ],
)
def test_what_cannot_become_a_box_may_not(text):
    assert not continues_box(text, LIMITS)


def test_a_vocabulary_that_cannot_write_a_box_is_left_alone():
    slots = TextSlots({"<box>": 0, "a": 1, "b": 2})
    logits = torch.tensor([0.0, 1.0, 2.0])
    assert slots.mask([0], logits, limits=LIMITS).tolist() == [0.0, 1.0, 2.0]
