"""`backend=vllm` on the CPU: the shipped nano goes through its four stages in a real engine, in this process."""

import importlib.util
import json
from dataclasses import replace

import pytest

from pancap.chain.config import CaptionConfig, DecodingConfig
from pancap.chain.folder import caption_folder
from pancap.engine.scenes.scene import render_scene
from pancap.llm.config import VllmConfig
from pancap.llm.in_process import VllmGenerator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]

NUM_IMAGES = 3
BLOCK = 32  # tokens of vLLM's cache blocks, the smallest on a CPU
ENGINE = {
    "enforce_eager": True,
    "max_num_seqs": 8,
    "block_size": BLOCK,
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}
VLLM = VllmConfig(dtype="float32", max_model_len=2048, max_in_flight=NUM_IMAGES, engine=ENGINE)
DECODING = DecodingConfig(max_new_tokens_loc=120, max_new_tokens_tag=200, max_new_tokens_disc=60)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("scenes")
    for seed in range(NUM_IMAGES):
        image = render_scene(seed + 7, size_px=224).image
        Image.fromarray(image[60:180] if seed == 1 else image).save(folder / f"{seed}.png")
    (folder / "page.png").write_text("<html>")
    return folder


@pytest.fixture(scope="module")
def replies():
    """Every reply of every engine, by the stage that it answers."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        generate = VllmGenerator.generate

        def generate_and_keep(self, requests, *, follow):
            purposes = {}

            def note(place, request):
                purposes[place] = request.purpose
                return request

            def follow_and_keep(place, reply):
                kept.append((purposes[place], place, reply))
                following = follow(place, reply)
                return following and note(place, following)

            noted = (note(place, request) for place, request in enumerate(requests))
            yield from generate(self, noted, follow=follow_and_keep)

        patch.setattr(VllmGenerator, "generate", generate_and_keep)
        yield kept


@pytest.fixture(scope="module")
def run(scenes, replies, tmp_path_factory):
    out = tmp_path_factory.mktemp("captions")
    config = CaptionConfig(
        checkpoint="nano",
        images=str(scenes),
        out=str(out),
        backend="vllm",
        max_bad_fraction=0.5,
        decoding=DECODING,
        vllm=VLLM,
    )
    summary = caption_folder(config)
    records = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
    return config, summary, records


def test_images_go_through_the_stages_and_the_bad_one_is_set_aside(run):
    """R21."""
    _, summary, records = run
    assert (summary.num_images, [name for name, _ in summary.refused]) == (NUM_IMAGES, ["page.png"])
    for record in records:
        assert list(record["stages"]) == ["loc", "tag", "disc", "cap"]
        assert record["caption"] and record["entities"]
        assert {entity["confidence"] for entity in record["entities"]} == {None}  # vLLM tells none


def test_no_malformed_box_comes_out(run):
    """R26: with limits that cut an answer between its boxes the last one may be unfinished, and nothing else."""
    _, summary, records = run
    dropped = [text for record in records for found in record.get("dropped", {}).values() for text in found]
    assert all(text.startswith("unclosed") for text in dropped)
    assert len(dropped) <= NUM_IMAGES
    assert summary.num_entities > 2 * NUM_IMAGES


def test_later_stages_find_image_and_prompt_prefix_in_the_engines_cache(run, replies):
    """By vLLM's own count: nano's prefix is 198 tokens, six whole blocks of it; another image's are not taken for it.

    All images have the same placeholder tokens, so a cache that knew the tokens alone would serve one image's to the
    next: the first stage of each would then be a hit.
    """
    cached = {stage: [] for stage in ("loc", "tag", "disc", "cap")}
    for stage, _, reply in replies:
        cached[stage].append(reply.cached_tokens)
    print({stage: counts for stage, counts in cached.items()})
    assert cached["loc"] == [0] * NUM_IMAGES
    for stage in ("tag", "disc", "cap"):
        assert len(cached[stage]) == NUM_IMAGES
        assert min(cached[stage]) >= 198 // BLOCK * BLOCK


def test_a_finished_run_asks_for_nothing_again(run, replies):
    config, *_ = run
    asked = len(replies)
    again = caption_folder(config)
    assert (again.num_images, again.num_resumed, len(replies)) == (NUM_IMAGES, NUM_IMAGES, asked)
    with pytest.raises(ValueError, match="backend: vllm -> None"):
        caption_folder(replace(config, backend="transformers"))
