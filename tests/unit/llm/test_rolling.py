"""Conversations that go on from a reply, and messages with images."""

import hashlib
import json

import pytest

from pancap.configs import UsageError
from pancap.llm.base import Message, Reply, Request
from pancap.llm.in_process import sampling_arguments
from pancap.llm.ray_data import RayDataGenerator, check_image_stage
from pancap.llm.scripted import ScriptedGenerator
from pancap.llm.store import request_key


def request(text, **changes):
    return Request(messages=(Message(role="user", text=text),), max_tokens=8, **changes)


def test_a_conversation_goes_on_until_nothing_follows():
    generator = ScriptedGenerator(lambda asked: asked.messages[-1].text.upper())

    def follow(place, reply):
        return request(f"{reply.text}b".lower()) if len(reply.text) < place + 2 else None

    found = [(place, reply.text) for place, reply in generator.generate(map(request, ("a", "a")), follow=follow)]
    assert found == [(0, "A"), (0, "AB"), (1, "A"), (1, "AB"), (1, "ABB")]


def test_ray_data_takes_one_step_with_all_before_the_next(monkeypatch):
    """Its execution knows its rows from the start, so what follows waits for the next one."""
    steps = []

    def take_step(self, requests):
        steps.append(sorted(requests))
        yield from ((place, Reply(text="x", finish="stop")) for place in requests)

    monkeypatch.setattr(RayDataGenerator, "_take_step", take_step)
    seen = []

    def follow(place, reply):
        seen.append(place)
        return request("more") if seen.count(place) <= place else None

    replies = list(RayDataGenerator("m", None).generate([request("a")] * 3, follow=follow))
    assert steps == [[0, 1, 2], [1, 2], [2]]
    assert len(replies) == 6


def test_an_image_is_inlined_before_the_text():
    message = Message(role="user", text="What is this?", images=(b"png",))
    assert message.to_openai()["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
        {"type": "text", "text": "What is this?"},
    ]


def test_a_kept_reply_is_that_of_its_image_and_rules_and_older_files_stay_good():
    """Keys of requests without images are those of versions that knew none, else paid replies would be lost."""
    plain = request("a")
    messages = [Message(role="user", text="a", images=(image,)) for image in (b"1", b"2")]
    keys = [request_key("m", Request(messages=(message,), max_tokens=8)) for message in messages]
    keys += [request_key("m", plain), request_key("m", request("a", rules="r"))]
    assert len(set(keys)) == 4
    content = ["m", [["user", "a"]], [8, "", [], 0.0, 0]]
    assert keys[2] == hashlib.sha256(json.dumps(content).encode()).hexdigest()


@pytest.mark.parametrize(("rules", "arguments"), [("", None), ("r", {"rules": "r"})])
def test_rules_reach_the_logits_processor(rules, arguments):
    assert sampling_arguments(request("a", rules=rules)).get("extra_args") == arguments


def test_images_are_refused_where_ray_and_vllm_do_not_fit(monkeypatch):
    """Ray 2.60 with vLLM 0.32 loaded the model for minutes and then failed in a stage, with vLLM "not installed"."""
    monkeypatch.setattr("pancap.llm.ray_data.find_spec", lambda name: None if "." in name else name)
    with pytest.raises(UsageError, match="take backend=vllm, or versions of Ray and vLLM that fit"):
        check_image_stage()
    monkeypatch.setattr("pancap.llm.ray_data.find_spec", lambda name: name)
    check_image_stage()
