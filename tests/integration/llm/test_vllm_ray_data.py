"""Real vLLM on Ray Data, on the CPU with SmolLM2-135M (see test_vllm.py for what so small a model is good for)."""

import json

import pytest

from pancap.llm.base import Message, Request
from pancap.llm.config import VllmConfig
from pancap.llm.ray_data import RayDataGenerator
from pancap.scoring.judges.llm.statements import ANSWERS, CONTRADICTION_SCHEMA

# Ray Data loads the model anew for each kind of constraint: three times here.
pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster(smollm2):
    import ray

    # More than the machine has: each of Ray Data's stages holds a whole CPU, and they must all stand at once.
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def request(text, **changes):
    messages = (Message(role="system", text="Reply."), Message(role="user", text=text))
    return Request(messages=messages, **({"max_tokens": 300} | changes))


def test_replies_come_back_under_their_places_and_obey_their_constraints(smollm2, cluster):
    jsonschema = pytest.importorskip("jsonschema")
    engine = {"enforce_eager": True, "max_num_seqs": 16}
    config = VllmConfig(dtype="float32", max_model_len=2048, enable_gpu=False, engine=engine)
    generator = RayDataGenerator(str(smollm2), config)
    requests = [
        *(request(f"Is {number} large? yes or no?", choices=ANSWERS) for number in range(70)),
        request("word " * 5000),
        request("E1 is a dog.\nTrue: E1 is red\nReply:", schema=CONTRADICTION_SCHEMA),
        request("Say hello.", max_tokens=3),
    ]
    found = list(generator.generate(requests))
    assert sorted(place for place, _ in found) == list(range(len(requests)))
    replies = dict(found)
    assert all(replies[place].text in ANSWERS and replies[place].completion_tokens <= 4 for place in range(70))
    assert (replies[70].finish, replies[72].finish) == ("refused", "length")
    jsonschema.validate(json.loads(replies[71].text), json.loads(CONTRADICTION_SCHEMA))
    assert list(generator.generate([])) == []
