"""The HTTP generator against a real server that fails in every way that servers do."""

import email.utils
import logging
import socket
import time

import pytest

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Message, Request
from pancap.llm.config import EndpointConfig
from pancap.llm.endpoint import EndpointGenerator

KEY = "sk-canary-4242"


def request(text="hello", **changes):
    messages = (Message(role="system", text="static first"), Message(role="user", text=text))
    return Request(messages=messages, **({"max_tokens": 8, "purpose": "test"} | changes))


@pytest.fixture
def connect(chat_server, monkeypatch):
    made = []

    def build(**changes):
        settings = {"base_url": chat_server.url, "concurrency": 4, "timeout_s": 20.0, "retries": 3, "max_wait_s": 0.2}
        made.append(EndpointGenerator("some-model", EndpointConfig(**(settings | changes))))
        return made[-1]

    yield build
    for generator in made:
        generator.close()


def replies(generator, requests):
    found = dict(generator.generate(requests))
    assert sorted(found) == list(range(len(requests)))
    return [found[place] for place in range(len(requests))]


def fail_first(num, failure):
    return lambda number, body: failure if number <= num else "fine"


def test_what_is_sent_and_what_comes_back(connect, chat_server, monkeypatch):
    monkeypatch.setenv("PANCAP_TEST_KEY", KEY)
    chat_server.plan = lambda number, body: "fine"
    generator = connect(api_key_env="PANCAP_TEST_KEY", body={"top_p": 0.5, "temperature": None})
    (reply,) = replies(generator, [request(schema='{"type": "object"}', seed=3)])
    assert (reply.text, reply.finish) == ("fine", "stop")
    assert (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) == (100, 64, 7)
    (body,) = chat_server.bodies
    assert [message["content"] for message in body["messages"]] == ["static first", "hello"]
    assert (body["model"], body["max_tokens"], body["seed"], body["top_p"]) == ("some-model", 8, 3, 0.5)
    assert "temperature" not in body
    schema = {"name": "test", "strict": True, "schema": {"type": "object"}}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert chat_server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_choices_travel_as_an_object_and_come_back_bare(connect, chat_server):
    chat_server.plan = lambda number, body: '{"answer": "yes no"}' if number == 1 else "no no"
    found = [replies(connect(), [request(choices=("yes no", "no no"))])[0] for _ in range(2)]
    assert [reply.text for reply in found] == ["yes no", "no no"]
    schema = chat_server.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["yes no", "no no"]
    replies(connect(structure="none"), [request(choices=("a", "b"))])
    assert "response_format" not in chat_server.bodies[-1] and "Authorization" not in chat_server.headers[-1]


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 429},
        {"status": 500, "raw": "<html>oops</html>"},
        {"status": 503},
        {"raw": "garbage \ufffd"},
        {"raw": '{"choices": [{"message": {"content": "cut o'},
        {"raw": '{"choices": []}'},
        {"raw": '{"choices": [{"message": {"content": 7}}]}'},
        {"raw": "[" * 50_000},
        {"hang_up": True},
    ],
    ids=["429", "500", "503", "garbage", "truncated JSON", "no choice", "no text", "deep JSON", "connection lost"],
)
def test_what_passes_is_tried_again(connect, chat_server, failure):
    chat_server.plan = fail_first(2, failure)
    (reply,) = replies(connect(), [request()])
    assert (reply.text, reply.finish, len(chat_server.bodies)) == ("fine", "stop", 3)


def test_a_timeout_is_tried_again(connect, chat_server):
    chat_server.plan = fail_first(1, {"sleep_s": 30.0})
    (reply,) = replies(connect(timeout_s=3.0), [request()])
    assert (reply.text, len(chat_server.bodies)) == ("fine", 2)


def test_retry_after_is_honoured_in_seconds_and_as_a_date_and_by_every_request(connect, chat_server):
    for make_header in (lambda: "1.5", lambda: email.utils.formatdate(time.time() + 3, usegmt=True)):
        header = make_header()
        chat_server.bodies.clear()
        chat_server.plan = fail_first(1, {"status": 429, "headers": {"Retry-After": header}})
        generator = connect(max_wait_s=10.0, concurrency=1)
        start = time.monotonic()
        found = replies(generator, [request("a"), request("b")])
        assert [reply.text for reply in found] == ["fine", "fine"]
        assert time.monotonic() - start > 1.0


def test_a_retry_after_of_an_hour_is_cut_to_max_wait(connect, chat_server):
    chat_server.plan = fail_first(1, {"status": 503, "headers": {"Retry-After": "3600"}})
    start = time.monotonic()
    (reply,) = replies(connect(max_wait_s=0.5), [request()])
    assert reply.text == "fine" and time.monotonic() - start < 60


def test_one_bad_request_is_refused_alone(connect, chat_server):
    def plan(number, body):
        if body["messages"][-1]["content"] == "long":
            return {"status": 400, "raw": '{"error": {"message": "context length\\nexceeded"}}'}
        return "fine"

    chat_server.plan = plan
    found = replies(connect(), [request("a"), request("long"), request("b")])
    assert [reply.finish for reply in found] == ["stop", "refused", "stop"]
    assert found[1].error == "400 (context length exceeded)" and not found[1].is_final
    assert len(chat_server.bodies) == 3


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_what_every_request_would_meet_is_one_clear_error_without_the_key(
    connect, chat_server, monkeypatch, caplog, status
):
    monkeypatch.setenv("PANCAP_TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    message = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'
    chat_server.plan = lambda number, body: {"status": status, "raw": message}
    with pytest.raises(UsageError, match=rf"answered {status} \(Incorrect API key provided: \*\*\*\); check") as caught:
        replies(connect(api_key_env="PANCAP_TEST_KEY"), [request()])
    assert len(chat_server.bodies) == 1
    assert KEY not in str(caught.value) + repr(caught.value.__cause__) + caplog.text


def test_a_request_that_is_always_refused_ends_the_run_soon(connect, chat_server):
    chat_server.plan = lambda number, body: {"status": 400, "raw": '{"error": {"message": "unknown field"}}'}
    with pytest.raises(UsageError, match=r"refused every request so far, the last with 400 \(unknown field\)"):
        replies(connect(), [request(str(number)) for number in range(100)])
    assert len(chat_server.bodies) < 40


def test_an_endpoint_that_is_gone_stops_the_run_and_says_how_to_go_on(connect):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(StoppedError, match=r"failed 8 requests in a row.*start the same command again"):
        replies(connect(base_url=url, retries=1), [request(str(number)) for number in range(20)])


def test_cut_and_filtered_replies_say_so(connect, chat_server):
    finishes = iter(["length", "content_filter"])
    chat_server.plan = lambda number, body: {"text": "half", "finish": next(finishes)}
    found = [replies(connect(), [request()])[0] for _ in range(2)]
    assert [reply.finish for reply in found] == ["length", "filtered"]


def test_no_more_requests_are_under_way_than_allowed(connect, chat_server):
    chat_server.plan = lambda number, body: {"text": body["messages"][-1]["content"], "sleep_s": 0.05}
    found = replies(connect(concurrency=3), [request(str(number)) for number in range(20)])
    assert [reply.text for reply in found] == [str(number) for number in range(20)]
    assert 2 <= chat_server.num_most <= 3


def test_each_conversation_goes_on_at_its_own_pace_and_requests_are_taken_when_there_is_room(connect, chat_server):
    """A slow first reply holds nobody up: the others are at their third message by then."""
    chat_server.plan = lambda number, body: {
        "text": body["messages"][-1]["content"] + "!",
        "sleep_s": 1.5 if body["messages"][-1]["content"] == "0" else 0.0,
    }
    taken, done = [], []

    def requests():
        for number in range(12):
            taken.append(number)
            yield request(str(number))

    def follow(place, reply):
        return request(reply.text) if reply.text.count("!") < 3 else None

    for place, _ in connect(concurrency=2).generate(requests(), follow=follow):
        done.append(place)
        assert len(done) > 1 or len(taken) == 4  # twice as many as may be under way
    assert sorted(done) == sorted(list(range(12)) * 3)
    assert done[-3:] == [0, 0, 0]
    assert chat_server.num_most <= 2
