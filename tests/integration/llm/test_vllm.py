"""The judge over real vLLM on the CPU with SmolLM2-135M-Instruct.

So small a model judges no better than chance: what is tested is the path - constraints, prefix sharing, the store, a
dead engine - and not the score.
"""

import json
import os
import signal

import pytest

from pancap.llm.base import Message, Reply, Request
from pancap.llm.config import VllmConfig
from pancap.llm.in_process import VllmGenerator
from pancap.scoring.encoder import NoEncoder
from pancap.scoring.judges.base import Inquiry
from pancap.scoring.judges.llm.config import LlmJudgeConfig
from pancap.scoring.judges.llm.judge import LlmJudge
from pancap.scoring.judges.llm.statements import ANSWERS, CONTRADICTION_SCHEMA
from pancap.scoring.judges.rule import RuleJudge
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


class Unclosed:
    """A generator that outlives the judge which uses it."""

    def __init__(self, generator):
        self.model, self.identity, self.generate = generator.model, generator.identity, generator.generate

    def close(self):
        pass


class Contradicting(Unclosed):
    """Writes the contradictions itself: the model writes too few good ones for its answers to be counted."""

    def __init__(self, generator):
        super().__init__(generator)
        self.generate = self._generate
        self._answers = generator

    def _generate(self, requests):
        if requests and requests[0].purpose == "contradict":
            texts = (request.messages[-1].text.split("True: ")[1].removesuffix("\nReply:") for request in requests)
            for place, text in enumerate(texts):
                yield place, Reply(text=json.dumps({"false": f"{text} no more"}), finish="stop")
        else:
            yield from self._answers.generate(requests)


def request(text, **changes):
    messages = (Message(role="system", text="Reply."), Message(role="user", text=text))
    return Request(messages=messages, **({"max_tokens": 400} | changes))


def test_replies_obey_their_constraints_and_one_that_is_too_long_is_refused_alone(generator):
    jsonschema = pytest.importorskip("jsonschema")
    requests = [
        *(request(f"E1 is a {tag}.\nTrue: E1 is red\nReply:", schema=CONTRADICTION_SCHEMA) for tag in ("dog", "hat")),
        *(request(f"Is it {word}? yes or no?", choices=ANSWERS) for word in ("red", "black", "big", "loud")),
        request("word " * 9000),
        request("Say hello.", max_tokens=3),
    ]
    replies = dict(generator.generate(requests))
    assert sorted(replies) == list(range(len(requests)))
    for place in (0, 1):
        assert replies[place].finish == "stop"
        jsonschema.validate(json.loads(replies[place].text), json.loads(CONTRADICTION_SCHEMA))
    for place in range(2, 6):
        assert replies[place].text in ANSWERS
        assert replies[place].completion_tokens <= 4  # two words and the end
    assert replies[6].finish == "refused" and "4096" in replies[6].error
    assert replies[7].finish == "length" and replies[7].completion_tokens == 3


@pytest.mark.slow
def test_nearly_every_prompt_token_comes_from_the_prefix_cache(generator, captions, tmp_path):
    """Questions about real captions, by vLLM's own count of cached tokens; the rule judge read them, for its speed."""
    contents = [RuleJudge().extract(caption) for caption in captions[:2]]
    inquiries = [
        Inquiry(items=items, other=items, other_caption=caption, mapping={e.id: e.id for e in items.entities})
        for items, caption in zip(contents, captions[:2], strict=True)
    ]
    asked = {"contradict": Unclosed(generator), "answer": Contradicting(generator)}
    for name, asking in asked.items():
        config = LlmJudgeConfig(model="m", store=str(tmp_path / f"{name}.jsonl"), retries=0)
        judge = LlmJudge(config, generator=asking)
        judge.supported_all(inquiries)
        judge.close()
        step = judge.replies[name]
        print(f"{name}: {step.cached_tokens} of {step.prompt_tokens} prompt tokens cached, {step}")
        assert step.num > 40
        assert step.cached_tokens / step.prompt_tokens > 0.9
    assert step.num_invalid == 0  # an answer is a choice and cannot be malformed


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


def test_twenty_real_captions_complete_and_a_second_run_asks_nothing(generator, captions, tmp_path):
    """The captions' beginnings, and one item of each kind: so small a model fills every list that it may."""
    store = str(tmp_path / "replies.jsonl")
    config = LlmJudgeConfig(model="m", store=store, max_items=1, max_tokens=400, retries=0, min_valid=0.0)
    pairs = [(caption[:200], caption[:400]) for caption in captions]
    judge = LlmJudge(config, generator=Unclosed(generator))
    scores = Scorer(judge=judge, encoder=NoEncoder()).score_many(pairs)
    judge.close()
    for name, step in judge.replies.items():
        print(f"{name}: {step}")
        assert sum(step.reasons.values()) == step.num_invalid
    assert judge.replies["extract"].num == 2 * NUM_CAPTIONS
    assert sum(score is not None for score in scores) >= NUM_CAPTIONS - judge.replies["extract"].num_invalid
    assert any(scores) and judge.replies["answer"].num > 0
    judge.check()
    unstarted = VllmGenerator(generator.model, generator._config)
    again = LlmJudge(config, generator=unstarted)
    assert Scorer(judge=again, encoder=NoEncoder()).score_many(pairs) == scores
    assert all(step.num_asked == 0 for step in again.replies.values()) and unstarted._engine is None
    again.close()
