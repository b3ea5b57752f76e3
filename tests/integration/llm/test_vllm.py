"""The judge over real vLLM on the CPU with SmolLM2-135M-Instruct.

So small a model judges no better than chance: what is tested is the path - constraints, prefix sharing, the store, a
dead engine - and not the score.
"""

import json
import os
import signal

import pytest

from pancap.llm.base import Message, Request
from pancap.llm.config import VllmConfig
from pancap.llm.in_process import VllmGenerator
from pancap.scoring.encoder import NoEncoder
from pancap.scoring.judges.llm.config import LlmJudgeConfig
from pancap.scoring.judges.llm.extraction import extraction_schema
from pancap.scoring.judges.llm.judge import LlmJudge
from pancap.scoring.judges.llm.statements import ANSWERS, CONTRADICTION_SCHEMA
from pancap.scoring.score import Scorer

NUM_CAPTIONS = 20
ENGINE = {"enforce_eager": True, "max_num_seqs": 32, "max_num_batched_tokens": 2048, "block_size": 32}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def generator(smollm2):
    made = VllmGenerator(str(smollm2), VllmConfig(dtype="float32", max_model_len=4096, engine=ENGINE))
    yield made
    made.close()


@pytest.fixture(scope="module")
def captions(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    return [record["gt_response"] for record in json.loads(path.read_text())[:NUM_CAPTIONS]]


def request(text, **changes):
    messages = (Message(role="system", text="Reply."), Message(role="user", text=text))
    return Request(messages=messages, **({"max_tokens": 700} | changes))


def test_replies_obey_their_constraints_and_one_that_is_too_long_is_refused_alone(generator):
    jsonschema = pytest.importorskip("jsonschema")
    schemas = [extraction_schema(max_items=1), CONTRADICTION_SCHEMA]
    requests = [
        *(request(f"A {color} dog on a mat.", schema=schema) for schema in schemas for color in ("red", "black")),
        *(request(f"Is it {word}? yes or no?", choices=ANSWERS) for word in ("red", "black", "big", "loud")),
        request("word " * 9000),
        request("Say hello.", max_tokens=3),
    ]
    replies = dict(generator.generate(requests))
    assert sorted(replies) == list(range(len(requests)))
    for place, schema in enumerate([schemas[0], schemas[0], schemas[1], schemas[1]]):
        assert replies[place].finish == "stop"
        jsonschema.validate(json.loads(replies[place].text), json.loads(schema))
    for place in range(4, 8):
        assert replies[place].text in ANSWERS
        assert replies[place].completion_tokens <= 4  # two words and the end
    assert replies[8].finish == "refused" and "4096" in replies[8].error
    assert replies[9].finish == "length" and replies[9].completion_tokens == 3


def test_twenty_real_captions_complete_and_nearly_every_prompt_token_comes_from_the_prefix_cache(
    generator, captions, tmp_path
):
    config = LlmJudgeConfig(
        model="m", store=str(tmp_path / "r.jsonl"), max_items=1, max_tokens=600, retries=1, min_valid=0.0
    )
    pairs = [(caption[: len(caption) // 2], caption) for caption in captions]
    judge = LlmJudge(config, generator=generator)
    scores = Scorer(judge=judge, encoder=NoEncoder()).score_many(pairs)
    for name, step in judge.replies.items():
        print(name, step)
    assert len(scores) == NUM_CAPTIONS and any(scores)
    assert sum(score is None for score in scores) <= judge.replies["extract"].num_invalid
    assert judge.replies["extract"].num == 2 * NUM_CAPTIONS
    for name in ("contradict", "answer"):
        step = judge.replies[name]
        assert step.num > NUM_CAPTIONS and sum(step.reasons.values()) == step.num_invalid
        assert step.cached_tokens / step.prompt_tokens > 0.9
    assert judge.replies["answer"].num_invalid == 0  # a choice cannot be malformed
    judge.check()
    judge._generator._store.close()
    again = LlmJudge(config, generator=VllmGenerator(generator.model, generator._config))
    assert Scorer(judge=again, encoder=NoEncoder()).score_many(pairs) == scores
    assert all(step.num_asked == 0 for step in again.replies.values())  # and so no engine was started
    again.close()


def test_an_engine_that_is_killed_loses_no_row(generator):
    import psutil

    requests = [request(f"Count to {number}.", max_tokens=32) for number in range(100)]
    replies = {}
    for place, reply in generator.generate(requests):
        if not replies:
            engines = [child for child in psutil.Process().children() if "EngineCore" in " ".join(child.cmdline())]
            assert len(engines) == 1
            os.kill(engines[0].pid, signal.SIGKILL)
        assert place not in replies
        replies[place] = reply
    assert sorted(replies) == list(range(100))
    assert all(reply.text for reply in replies.values())
