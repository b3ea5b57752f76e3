"""C1, C2 and C5 as counts over real captions; what `pancap bench chain captions=FILE rounds=0` prints."""

import importlib.util

import pytest

from pancap.chain.bench.chain import ChainBenchConfig, bench_chain


@pytest.fixture(scope="module")
def counted(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    if importlib.util.find_spec("mistral_common") is None:
        pytest.skip("needs the tokenizer of mistral_common")
    return bench_chain(ChainBenchConfig(captions=str(path), limit=60, rounds=0, loop_share=0.5))


def test_known_text_is_drafted_and_steps_fall(counted):
    steps = {scheme: sum(row.values()) for scheme, row in counted.steps.items()}
    published = steps["published loop"]
    assert steps["transformers' prompt lookup"] / published == pytest.approx(460 / 888, abs=0.02)
    assert steps["drafts, n-grams"] / published <= 405 / 888
    assert steps["coordinate tokens, drafts, n-grams"] / published <= 417 / 888
    first = sum(counted.steps["coordinate tokens, drafts, n-grams"][stage] for stage in ("loc", "tag", "disc"))
    of_published = sum(counted.steps["published loop"][stage] for stage in ("loc", "tag", "disc"))
    assert first / of_published <= 61 / 364


def test_answers_in_a_loop_cost_little_and_lose_no_box(counted):
    loops = counted.loops.to_dict()
    assert loops["num_looping"] > 20
    assert loops["num_boxes_lost"] == loops["num_unstopped"] == loops["num_cut"] == 0
    assert loops["p99_to_p50"] <= 2 < loops["published_p99"] / loops["p50"]
