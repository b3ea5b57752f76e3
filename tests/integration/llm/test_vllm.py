"""The judge over real vLLM on the CPU with SmolLM2-135M-Instruct.

So small a model judges no better than chance: what is tested is the path - constraints, prefix sharing, the store, a
dead engine - and not the score.
"""

import json
import os
import signal

import pytest

from pancap.configs import TooManyBadRowsError
from pancap.llm.base import Message, Reply, Request
from pancap.llm.config import VllmConfig
from pancap.llm.in_process import VllmGenerator
from pancap.scoring import ScoreConfig, score_captions
from pancap.scoring.judges.base import Inquiry
from pancap.scoring.judges.llm.config import LlmJudgeConfig
from pancap.scoring.judges.llm.extraction import extraction_schema
from pancap.scoring.judges.llm.judge import LlmJudge
from pancap.scoring.judges.llm.statements import ANSWERS, CONTRADICTION_SCHEMA
from pancap.scoring.judges.rule import RuleJudge

NUM_CAPTIONS = 20
# The executor inside the engine's process: on a CPU vLLM starts one more by itself, which takes as long as the engine.
ENGINE = {
    "enforce_eager": True,
    "max_num_seqs": 32,
    "max_num_batched_tokens": 2048,
    "block_size": 32,
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}
VLLM = VllmConfig(dtype="float32", max_model_len=4096, engine=ENGINE)

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


@pytest.fixture(scope="module")
def generator(smollm2):
    made = VllmGenerator(str(smollm2), VLLM)
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
        self.model, self.identity, self._inner = generator.model, generator.identity, generator

    def generate(self, requests):
        return self._inner.generate(requests)

    def close(self):
        pass


class Contradicting(Unclosed):
    """Writes the contradictions itself: the model writes too few good ones for its answers to be counted."""

    def generate(self, requests):
        if requests and requests[0].purpose == "contradict":
            texts = (request.messages[-1].text.split("True: ")[1].removesuffix("\nReply:") for request in requests)
            for place, text in enumerate(texts):
                yield place, Reply(text=json.dumps({"false": f"{text} no more"}), finish="stop")
        else:
            yield from self._inner.generate(requests)


class Deadly(Unclosed):
    """Kills the engine once, after the first contradiction, when the others are under way."""

    num_kills = 0

    def generate(self, requests):
        seen = set()
        for place, reply in self._inner.generate(requests):
            if not self.num_kills and requests[place].purpose == "contradict":
                (engine,) = engines()
                os.kill(engine.pid, signal.SIGKILL)
                self.num_kills += 1
            assert place not in seen
            seen.add(place)
            yield place, reply
        assert seen == set(range(len(requests)))


def engines():
    import psutil

    return [child for child in psutil.Process().children() if "EngineCore" in " ".join(child.cmdline())]


def prefix_cache_counts(generator):
    """(prompt tokens, those that the prefix cache served), as vLLM's metrics count them."""
    values = {metric.name: metric.value for metric in generator._engine.get_metrics() if hasattr(metric, "value")}
    return values["vllm:prefix_cache_queries"], values["vllm:prefix_cache_hits"]


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
        assert "\n" not in replies[place].text  # blank space would be decoded token by token
        jsonschema.validate(json.loads(replies[place].text), json.loads(CONTRADICTION_SCHEMA))
    for place in range(2, 6):
        assert replies[place].text in ANSWERS
        assert (replies[place].finish, replies[place].completion_tokens) == ("stop", 2)  # two words and no end token
    assert replies[6].finish == "refused" and "4096" in replies[6].error
    assert replies[7].finish == "length" and replies[7].completion_tokens == 3


def test_nearly_every_prompt_token_comes_from_the_prefix_cache(generator, captions, tmp_path):
    """Questions about whole captions, by vLLM's own counters; the rule judge read the captions, for its speed."""
    captions = captions[17:19]  # of middle length, 31 and 36 items
    contents = [RuleJudge().extract(caption) for caption in captions]
    inquiries = [
        Inquiry(items=items, other=items, other_caption=caption, mapping={e.id: e.id for e in items.entities})
        for items, caption in zip(contents, captions, strict=True)
    ]
    list(generator.generate([request("Say hello.", max_tokens=1)]))  # the engine is there, whichever test ran before
    for name, asking in {"contradict": Unclosed(generator), "answer": Contradicting(generator)}.items():
        config = LlmJudgeConfig(model="m", store=str(tmp_path / f"{name}.jsonl"), retries=0)
        judge = LlmJudge(config, generator=asking)
        before = prefix_cache_counts(generator)
        judge.supported_all(inquiries[:1] if name == "answer" else inquiries)
        judge.close()
        step = judge.replies[name]
        print(f"{name}: {step.describe_tokens()}, {step}")
        assert step.num > 30
        assert step.cached_tokens / step.prompt_tokens > 0.9
        # With contradictions of its own the engine was asked for answers to the good ones, too.
        asked = list(judge.replies.values()) if name == "contradict" else [step]
        counts = sum(each.prompt_tokens for each in asked), sum(each.cached_tokens or 0 for each in asked)
        assert tuple(now - then for now, then in zip(prefix_cache_counts(generator), before, strict=True)) == counts
    assert step.num_invalid == 0  # an answer is a choice and cannot be malformed


def test_twenty_real_captions_complete_although_the_engine_is_killed(generator, captions, tmp_path, monkeypatch):
    """The captions' beginnings, and one item of each kind: so small a model fills every list that it may.

    The killed engine loses no row.
    """
    jsonschema = pytest.importorskip("jsonschema")
    references = {str(number): caption[:400] for number, caption in enumerate(captions)}
    candidates = references | {image: references[image][:200] for image in ("0", "1", "2")}
    store = tmp_path / "replies.jsonl"

    def score(**changes):
        fields = {"max_items": 1, "max_tokens": 100, "retries": 0, "store": str(store)} | changes
        llm = LlmJudgeConfig(backend="vllm", model=generator.model, vllm=VLLM, **fields)
        return score_captions(candidates, references, ScoreConfig(judge="llm", encoder="none", bootstrap=0, llm=llm))

    asking = Deadly(generator)
    with monkeypatch.context() as patch:
        patch.setattr("pancap.scoring.judges.llm.judge.load_generator", lambda config: asking)
        report = score(min_valid=0.0)
    print(report.render(), report.judge_replies)
    assert asking.num_kills == 1
    extract, contradict, answer = (report.judge_replies[name] for name in ("extract", "contradict", "answer"))
    assert extract.num == 2 * NUM_CAPTIONS
    assert extract.num_asked == len({*candidates.values(), *references.values()}) == NUM_CAPTIONS + 3
    assert contradict.num > 0 and report.n + len(report.unjudged) == NUM_CAPTIONS
    for name, step in report.judge_replies.items():
        assert sum(step.reasons.values()) == step.num_invalid
        assert any(f"{step.num_invalid} of {step.num} of {name}" in note for note in report.notes)
    assert any("from the prefix cache" in note for note in report.notes)
    records = [json.loads(line) for line in store.read_text().splitlines()]
    asked = [step.num_asked for step in (extract, contradict, answer)]
    assert len(records) == len({record["key"] for record in records}) == sum(asked)
    for record in records:
        if record["purpose"] == "extract" and record["reply"]["finish"] == "stop":
            jsonschema.validate(json.loads(record["reply"]["text"]), json.loads(extraction_schema(max_items=1)))
    # A second run asks nothing, so it needs no engine; and replies so poor are no result.
    num_engines = len(engines())
    with pytest.raises(TooManyBadRowsError, match=r"^\d+ of \d+ replies of the judge's step \w+ are invalid \(.*95 %"):
        score()
    assert len(engines()) == num_engines and len(store.read_text().splitlines()) == len(records)
