"""An exported chain in real vLLM on the CPU: its multimodal model loads and writes what transformers writes."""

import importlib.util

import pytest

from pancap.chain.decoding.answers import Branch
from pancap.chain.decoding.loop import Decoder
from pancap.chain.export import export_for_vllm
from pancap.chain.images import to_pixels, to_square
from pancap.chain.model import load_checkpoint
from pancap.chain.stages import STAGES
from pancap.chain.tokenizer import encode_prompt, token_ids
from pancap.engine.scenes.scene import render_scene

NUM_TOKENS = 24

pytestmark = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed")


def test_vllm_writes_what_transformers_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    checkpoint = load_checkpoint("nano")
    folder = export_for_vllm(checkpoint, directory=tmp_path / "nano")
    squares = [to_square(render_scene(seed, size_px=224).image, image_px=checkpoint.image_px) for seed in (7, 8)]
    prompt = encode_prompt(checkpoint.tokenizer, STAGES["loc"].head)
    expected = _transformers_answers(checkpoint, squares, prompt)
    assert _vllm_answers(folder, checkpoint, squares, prompt) == expected


def _transformers_answers(checkpoint, squares, prompt):
    decoder = Decoder(checkpoint, num_slots=len(squares))
    slots = decoder.encode(to_pixels(squares, image_px=checkpoint.image_px, resample=checkpoint.meta.resample))
    for slot in slots:
        decoder.start(slot, Branch(prompt_ids=tuple(prompt), max_new_tokens=NUM_TOKENS))
    answers = {}
    while len(answers) < len(slots):
        answers |= dict(decoder.step())
    return [answers[slot].ids for slot in slots]


def _vllm_answers(folder, checkpoint, squares, prompt):
    from vllm import LLM

    ids = token_ids(checkpoint.tokenizer)
    prefix = [token for token in checkpoint.prefix_ids if token != ids.image]
    first_image = checkpoint.prefix_ids.index(ids.image)
    one_image = [*prefix[:first_image], ids.image, *prefix[first_image:]]
    model = LLM(
        str(folder),
        dtype="float32",
        enforce_eager=True,
        max_model_len=1024,
        max_num_seqs=2,
        limit_mm_per_prompt={"image": 1},
        disable_log_stats=True,
    )
    try:
        outputs = _generate(model, squares, ids=[*one_image, *prompt])
    finally:
        model.llm_engine.engine_core.shutdown()
    return [[token for token in output.outputs[0].token_ids if token != ids.eos] for output in outputs]


def _generate(model, squares, *, ids):
    from PIL import Image
    from vllm import SamplingParams

    return model.generate(
        [{"prompt_token_ids": ids, "multi_modal_data": {"image": Image.fromarray(square)}} for square in squares],
        SamplingParams(temperature=0.0, max_tokens=NUM_TOKENS, detokenize=False),
        use_tqdm=False,
    )
