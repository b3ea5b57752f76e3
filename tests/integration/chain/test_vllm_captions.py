"""`backend=vllm` on the CPU: the shipped nano goes through its four stages in a real engine, in this process."""

import importlib.util
from dataclasses import replace

import pytest

from pancap.chain.backends.generator import GeneratorBackend
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.captioner import Captioner
from pancap.chain.config import CaptionConfig, DecodingConfig
from pancap.chain.loading import open_captioner
from pancap.chain.model import load_checkpoint
from pancap.chain.stages import STAGES
from pancap.chain.tokenizer import encode_prompt
from pancap.engine.scenes.scene import render_scene
from pancap.llm.base import Message, Request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]

NUM_IMAGES = 3
LIMITS = DecodingConfig(
    max_new_tokens_loc=120, max_new_tokens_tag=200, max_new_tokens_disc=60, max_new_tokens_cap=100, repeat_window=0
)


class Watched:
    """A generator whose replies are kept, by the stage that they answer."""

    def __init__(self, generator):
        self.replies, self._inner = [], generator

    def generate(self, requests, *, follow):
        stages = {}

        def note(place, request):
            stages[place] = request.purpose
            return request

        def follow_and_keep(place, reply):
            self.replies.append((stages[place], reply))
            following = follow(place, reply)
            return following and note(place, following)

        noted = (note(place, request) for place, request in enumerate(requests))
        yield from self._inner.generate(noted, follow=follow_and_keep)


@pytest.fixture(scope="module")
def images():
    scenes = [render_scene(seed + 7, size_px=224).image for seed in range(NUM_IMAGES)]
    return [scenes[0], scenes[1][60:180], scenes[2]]


@pytest.fixture(scope="module")
def vllm(vllm_on_cpu):
    with open_captioner(
        CaptionConfig(model="nano", images="", backend="vllm", vllm=vllm_on_cpu, decoding=LIMITS)
    ) as captioner:
        yield captioner


@pytest.fixture(scope="module")
def watched(vllm, images):
    """The constrained run, and every reply of it."""
    generator = Watched(vllm.backend.generator)
    backend = GeneratorBackend(generator, dialect=vllm.backend.dialect, decoding=LIMITS)
    return Captioner(backend).caption(images), generator.replies


def test_no_malformed_box_comes_out(watched):
    """R26, also where the limit cut an answer: what was begun there was reported as a malformed box."""
    results, replies = watched
    assert any(reply.finish == "length" for _, reply in replies)
    for result in results:
        assert result.dropped == {}
        assert list(result.stages) == ["loc", "tag", "disc", "cap"]
        assert len(result.entities) > 2 and result.caption
        assert set(result.confidences) == {None}  # vLLM tells none


def test_later_stages_find_the_image_in_the_engines_prefix_cache(watched, vllm_on_cpu):
    """By vLLM's own count: nano's prefix is 198 tokens, six whole blocks of it.

    All images have the same placeholder tokens, so a cache that knew the tokens alone would serve one image's to the
    next: the first stage of each would then be a hit.
    """
    checkpoint = load_checkpoint("nano")
    num_prefix, block = len(checkpoint.prefix_ids), vllm_on_cpu.engine["block_size"]
    cached = {stage: [reply.cached_tokens for of, reply in watched[1] if of == stage] for stage in STAGES}
    assert cached["loc"] == [0] * NUM_IMAGES
    for stage in ("tag", "disc", "cap"):
        assert cached[stage] == [num_prefix // block * block] * NUM_IMAGES
    asked = {reply.prompt_tokens for of, reply in watched[1] if of == "loc"}
    assert asked == {num_prefix + len(encode_prompt(checkpoint.tokenizer, STAGES["loc"].head))}


def test_without_constraints_all_stages_say_what_transformers_says(vllm, images):
    free = replace(LIMITS, enable_constraints=False, max_new_tokens_tag=120, max_new_tokens_cap=60)
    backend = GeneratorBackend(vllm.backend.generator, dialect=vllm.backend.dialect, decoding=free)
    found = Captioner(backend).caption(images)
    expected = Captioner(TransformersBackend(load_checkpoint("nano"), decoding=free)).caption(images)
    assert [result.stages for result in found] == [result.stages for result in expected]
    assert [result.caption for result in found] == [result.caption for result in expected]


def test_a_runaway_answer_is_cut_before_its_limit(vllm):
    """R26; the one allowed token never ends an answer, so nothing but its copies can."""
    asked = Request(
        messages=(Message(role="user", text=STAGES["loc"].head),),
        max_tokens=150,
        choices=("<c7>" * 100,),
        repeat_window=4,
    )
    ((_, reply),) = vllm.backend.generator.generate([asked])
    assert (reply.finish, reply.completion_tokens < 30) == ("length", True)
