import pytest

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.stages import STAGES, build_prompt
from pancap.chain.tokenizer import (
    decode,
    encode,
    encode_answer,
    encode_prefix,
    encode_prompt,
    token_ids,
    train_tokenizer,
)

CAPTIONS = ["A red square is left of a blue square.", "The weather is rainy, 24 drops."] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CAPTIONS, vocabulary_size=330)


def test_a_box_is_five_tokens(tokenizer):
    ids = token_ids(tokenizer)
    box = encode(tokenizer, BoxCodec(coordinates="tokens").render_box(Box(0.0, 0.012, 0.5, 1.0)))
    assert box == [ids.box, *(ids.coordinates.start + value for value in (0, 12, 500, 1000))]


def test_a_fixed_prompt_is_one_token(tokenizer):
    codec = BoxCodec(coordinates="tokens")
    for name in STAGES:
        assert len(encode_prompt(tokenizer, build_prompt(name, codec=codec))) == 2  # with the line break


def test_digits_stand_alone_in_both_forms():
    for coordinates in ("tokens", "text"):
        tokenizer = train_tokenizer(CAPTIONS, vocabulary_size=400, coordinates=coordinates)
        pieces = [tokenizer.decode([token]) for token in encode(tokenizer, "row 1024")]
        assert [piece.strip() for piece in pieces if piece.strip().isdigit()] == list("1024")


def test_texts_survive_encoding(tokenizer):
    codec = BoxCodec(coordinates="tokens")
    instances = [Instance(tag="naïve café", box=Box(0.1, 0.2, 0.3, 0.4))]
    for text in ("Ünïcode 猫, no merges!\n  two spaces", codec.render_instances(instances), "None"):
        ids = encode_answer(tokenizer, text)
        assert decode(tokenizer, ids) == text
        assert ids[-1] == token_ids(tokenizer).eos


def test_the_prefix_holds_one_image_token_per_patch(tokenizer):
    ids = token_ids(tokenizer)
    newline = encode(tokenizer, "\n")
    assert encode_prefix(tokenizer, num_image_tokens=3) == [ids.bos, ids.image, ids.image, ids.image, *newline]


def test_the_same_captions_give_the_same_tokenizer(tokenizer):
    assert train_tokenizer(CAPTIONS, vocabulary_size=330).get_vocab() == tokenizer.get_vocab()


def test_text_form_has_no_coordinate_tokens():
    tokenizer = train_tokenizer(CAPTIONS, vocabulary_size=330, coordinates="text")
    assert len(token_ids(tokenizer).coordinates) == 0
