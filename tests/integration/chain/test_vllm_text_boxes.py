"""`backend=vllm` on the CPU with boxes of digits: our own spelling of them, and that of a converted LLaVA checkpoint.

The models are random and begin many boxes, none of which would be one without the rules.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pancap.caption.formats import asmv2
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.captioner import Captioner
from pancap.chain.config import CaptionConfig, DecodingConfig, ModelConfig
from pancap.chain.conversion.config import ConvertConfig
from pancap.chain.conversion.convert import convert
from pancap.chain.loading import open_captioner
from pancap.chain.model import CheckpointMeta, build_model, load_checkpoint, save_checkpoint
from pancap.chain.tokenizer import token_ids, train_tokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]

LIMITS = DecodingConfig(
    max_new_tokens_loc=70, max_new_tokens_tag=60, max_new_tokens_disc=50, max_new_tokens_cap=80, repeat_window=0
)
# Tests are no package, so what lies beside other ones is loaded by its path.
_beside = Path(__file__).parents[2] / "unit" / "chain" / "llava_checkpoints.py"
_spec = importlib.util.spec_from_file_location("llava_checkpoints", _beside)
llava = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(llava)


def prefer_box(embeddings, head, *, box, by):
    """One width of every state is large, and the head's row of `<box>` looks at it most (the two may be tied)."""
    embeddings.data[:, 0] = head.data[:, 0] = 1.0
    head.data[box, 0] += by


def write_own(folder):
    """A chain's checkpoint as training writes it; its tokenizer writes `[[` as one token."""
    captions = ["A red square [[0.100, 0.200, 0.300, 0.400]] is to the left of a blue square."] * 4
    tokenizer = train_tokenizer(captions, vocabulary_size=400, coordinates="text")
    sizes = {"vision_hidden": 64, "vision_layers": 1, "vision_heads": 2, "vision_mlp": 64}
    sizes |= {"text_hidden": 128, "text_layers": 2, "text_heads": 2, "text_mlp": 64}
    config = ModelConfig(coordinates="text", image_px=32, patch_px=16, **sizes)
    model = build_model(config, tokenizer=tokenizer)
    prefer_box(model.get_input_embeddings().weight, model.lm_head.weight, box=token_ids(tokenizer).box, by=0.5)
    return save_checkpoint(
        model, tokenizer=tokenizer, directory=folder, meta=CheckpointMeta(coordinates="text", mode="chain")
    )


def write_converted(folder, *, scratch):
    """As `pancap weights convert llava` makes one; its tokenizer writes `<box>` and `\u2581[[`."""
    with pytest.MonkeyPatch.context() as patch:  # vLLM knows no heads of 16
        patch.setattr(llava, "WIDTH", 128)
        patch.setattr(llava, "TOWER_WIDTH", 64)
        model, tower, project = llava.language_model(), llava.vision_tower(), llava.projector()
        prefer_box(model.model.embed_tokens.weight, model.lm_head.weight, box=llava.ADDED["<box>"], by=12.0)
        weights = llava.language_weights(model) | llava.projector_weights(project)
        source = llava.write_llava(scratch / "llava", weights, max_position_embeddings=2048)
        clip = llava.write_clip(scratch / "clip", tower)
    convert(ConvertConfig(source=str(source), vision=str(clip), out=str(folder)), family="llava")
    return folder


@pytest.fixture(scope="module", params=["own", "converted"])
def folder(request, tmp_path_factory):
    scratch = tmp_path_factory.mktemp(request.param)
    if request.param == "own":
        return write_own(scratch / "model")
    return write_converted(scratch / "model", scratch=scratch)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 40), (30, 60), (64, 20))]


@pytest.fixture(scope="module")
def captions(folder, images, vllm_on_cpu, tmp_path_factory):
    """By vLLM, through what `pancap caption` does."""
    out = tmp_path_factory.mktemp("out")
    config = CaptionConfig(
        model=str(folder), images="", out=str(out), backend="vllm", mode="chain", vllm=vllm_on_cpu, decoding=LIMITS
    )
    with open_captioner(config) as captioner:
        return captioner.caption(images)


def test_no_malformed_box_of_digits_comes_out_of_vllm(captions):
    """R26."""
    answers = [answer for result in captions for answer in result.stages.values()]
    assert sum(answer.count("</box>") for answer in answers) >= len(answers)
    assert [(result.error, result.dropped) for result in captions] == [("", {})] * len(captions)


def test_vllm_and_transformers_write_the_same_boxes_under_the_same_rules(captions, folder, images):
    backend = TransformersBackend(load_checkpoint(folder), decoding=LIMITS)
    for found, expected, image in zip(captions, Captioner(backend).caption(images), images, strict=True):
        size = {"width": image.shape[1], "height": image.shape[0]}
        assert list(found.stages) == list(expected.stages) == ["loc", "tag", "disc", "cap"]
        for stage, answer in found.stages.items():
            assert asmv2.parse(answer, **size).boxes == asmv2.parse(expected.stages[stage], **size).boxes
        assert found.entities == expected.entities
