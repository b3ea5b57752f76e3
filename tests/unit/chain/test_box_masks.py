"""What boxes are held to; in answers of transformers: test_ruled_answers.py, of vLLM: test_vllm_captions.py."""

from random import Random

import pytest
import torch

from pancap.caption.formats import asmv2
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.decoding.box_masks import TextMasks, TokenMasks, continues_box, read_masks

LIMITS = (0, 250, 1000, 750)  # of an image twice as wide as high
SPECIAL = ["</s>", "<box>", "</box>", " cat", ",", " "]
PIECES = {
    "digits": [*"0123456789", "[[", "]]", "[", "]", ", "],
    "SentencePiece": [*"0123456789", "▁[[", "[[", "]]", "▁", "]]</", "box", ">", "]", "["],
    "numbers": [*map(str, range(1001)), "[[", "]]", "Ġ", "ĠĠ", "],", "[[1", ", 2"],
}


def text_of(token):
    return token.replace("▁", " ").replace("Ġ", " ")


def write_boxes(masks, tokens, *, seed, num_tokens=200):
    """Tokens drawn at random from what is left of random scores; the likeliest text of a model that knows nothing."""
    generator = torch.Generator().manual_seed(seed)
    rng, output = Random(seed), []
    for _ in range(num_tokens):
        logits = torch.randn(len(tokens), generator=generator)
        if not output or rng.random() < 0.2:
            logits[tokens.index("<box>")] += 9
        output.append(int(masks.mask(output, logits, limits=LIMITS).argmax()))
    return [tokens[token] for token in output]


@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("seed", range(2))
def test_no_scores_can_spoil_a_box_of_digits_however_a_tokenizer_cuts_them(kind, seed):
    """R26."""
    tokens = list(dict.fromkeys([*SPECIAL, *PIECES[kind]]))
    masks = read_masks({token: index for index, token in enumerate(tokens)})
    assert isinstance(masks, TextMasks)
    text = "".join(map(text_of, write_boxes(masks, tokens, seed=seed)))
    text = text[: text.rindex("</box>") + len("</box>")]
    parsed = asmv2.parse(text, width=200, height=100)
    assert len(parsed.boxes) == text.count("<box>") >= 5
    strays = {"stray"} if kind == "SentencePiece" else set()  # </box> without a box, put together from pieces
    assert {drop.reason for drop in parsed.dropped} <= strays


@pytest.mark.parametrize("kind", ["digits", "SentencePiece"])
def test_a_token_is_allowed_where_the_mask_leaves_it(kind):
    tokens = list(dict.fromkeys([*SPECIAL, *PIECES[kind]]))
    masks = TextMasks({token: index for index, token in enumerate(tokens)})
    output = [tokens.index(token) for token in write_boxes(masks, tokens, seed=0, num_tokens=40)]
    for end in range(len(output)):
        left = masks.mask(output[:end], torch.zeros(len(tokens)), limits=LIMITS).isfinite().tolist()
        assert left == [masks.allows(output[:end], token, limits=LIMITS) for token in range(len(tokens))]


def test_the_opening_that_llama_s_tokenizer_writes_is_left_to_it():
    """After an added token it puts a blank before whatever comes, so converted models have only ever written `▁[[`
    there; that was taken away, and they had to go on from a token that they never saw behind `<box>`."""
    tokens = [*SPECIAL, "▁[[", "[[", "▁[", "▁]]", "1"]
    masks = TextMasks({token: index for index, token in enumerate(tokens)})
    left = masks.mask([tokens.index("<box>")], torch.zeros(len(tokens)), limits=LIMITS).isfinite()
    assert [token for token, is_left in zip(tokens, left, strict=True) if is_left] == [" ", "▁[[", "[[", "▁["]


@pytest.mark.parametrize("seed", range(3))
def test_no_scores_can_spoil_a_box_of_coordinate_tokens(seed):
    tokens = ["</s>", "<box>", " cat", ",", *(f"<c{value}>" for value in range(1001)), " dog"]
    masks = read_masks({token: index for index, token in enumerate(tokens)})
    assert isinstance(masks, TokenMasks)
    written = write_boxes(masks, tokens, seed=seed)
    text = "".join(written[: len(written) - written[::-1].index("<box>") - 1])
    codec = BoxCodec(coordinates="tokens", width=200, height=100)
    assert text.count("<box>") >= 10
    assert codec.dropped(text) == ()


@pytest.mark.parametrize(
    "text", ["[[10, 260, 20, 300]]</box>", " [[0, 250, 1000, 750]]</box>", "[[10, 260, 2", "[", ""]
)
def test_the_beginning_of_a_box_may_go_on(text):
    assert all(continues_box(text[:end], LIMITS) for end in range(len(text) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[1",
        "  [[",
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
    masks = TextMasks({"<box>": 0, "a": 1, "b": 2})
    logits = torch.tensor([0.0, 1.0, 2.0])
    assert masks.mask([0], logits, limits=LIMITS).tolist() == [0.0, 1.0, 2.0]
