import json
import os

import pytest

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Message, Reply, Request
from pancap.llm.scripted import ScriptedGenerator
from pancap.llm.store import ReplyStore, StoredGenerator, request_key


def request(text, **changes):
    settings = {"max_tokens": 8, "purpose": "test"} | changes
    return Request(messages=(Message(role="system", text="static"), Message(role="user", text=text)), **settings)


def shout(request):
    return request.messages[-1].text.upper()


def texts(generator, requests):
    replies = dict(generator.generate(requests))
    return [replies[place].text for place in range(len(requests))]


def stored(path, script=shout):
    inner = ScriptedGenerator(script)
    return inner, StoredGenerator(inner, ReplyStore(path))


def test_nothing_is_asked_twice_within_a_run_or_by_a_later_one(tmp_path):
    path = tmp_path / "new" / "replies.jsonl"
    inner, generator = stored(path)
    assert texts(generator, [request("a"), request("b"), request("a")]) == ["A", "B", "A"]
    assert texts(generator, [request("b"), request("c")]) == ["B", "C"]
    assert [r.messages[-1].text for r in inner.asked] == ["a", "b", "c"]
    assert (generator.usage["test"].asked, generator.usage["test"].reused) == (3, 2)
    generator.close()
    inner, generator = stored(path)
    assert texts(generator, [request("c"), request("a"), request("d")]) == ["C", "A", "D"]
    assert [r.messages[-1].text for r in inner.asked] == ["d"]
    generator.close()


@pytest.mark.parametrize(
    "changes",
    [{"max_tokens": 9}, {"schema": "{}"}, {"choices": ("a", "b")}, {"temperature": 0.5}, {"seed": 1}],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_may_change_the_reply_changes_the_key_and_the_purpose_does_not(changes):
    assert request_key("m", request("a", **changes)) != request_key("m", request("a"))
    assert request_key("m", request("a", purpose="other")) == request_key("m", request("a"))
    assert request_key("n", request("a")) != request_key("m", request("a"))


def test_a_key_is_the_same_in_every_version():
    """A key that changed would buy every stored reply again."""
    key = request_key("m", request("a"))
    assert key == "166f83fe3293fb76ff4ebd8b803d3e22c1c844c8511960e0cec74097873ac278"


def test_a_torn_last_line_is_dropped_and_asked_again(tmp_path):
    path = tmp_path / "replies.jsonl"
    _, generator = stored(path)
    texts(generator, [request("a"), request("b")])
    generator.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    inner, generator = stored(path)
    assert texts(generator, [request("a"), request("b")]) == ["A", "B"]
    assert [r.messages[-1].text for r in inner.asked] == ["b"]
    generator.close()
    assert path.read_bytes() == whole


def test_a_broken_line_in_the_middle_is_refused_by_its_number(tmp_path):
    path = tmp_path / "replies.jsonl"
    path.write_text('{"key": "k", "reply": {"text": "x", "finish": "stop"}}\n{"key": 1}\n')
    with pytest.raises(UsageError, match=r"line 2 of .*replies.jsonl is no stored reply"):
        ReplyStore(path)


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path):
    first = ReplyStore(tmp_path / "replies.jsonl")
    with pytest.raises(UsageError, match="in use by another run"):
        ReplyStore(tmp_path / "replies.jsonl")
    first.close()
    first.close()
    ReplyStore(tmp_path / "replies.jsonl").close()


def test_any_text_comes_back_as_it_was(tmp_path):
    replies = [
        Reply(text=text, finish="stop", prompt_tokens=3, cached_tokens=cached, completion_tokens=1)
        for text, cached in (("", None), ('"\\\n\u2028é 猫', 0), ("\ud800 lone", 7))
    ]
    with ReplyStore(tmp_path / "replies.jsonl") as store:
        for number, reply in enumerate(replies):
            store.add(str(number), reply, about={"model": "m"})
    with ReplyStore(tmp_path / "replies.jsonl") as store:
        assert [store.get(str(number)) for number in range(3)] == replies
        assert (len(store), store.get("3")) == (3, None)


def test_what_cost_nothing_is_not_kept(tmp_path):
    def script(request):
        return Reply(text="", finish=request.messages[-1].text, error="why")

    inner, generator = stored(tmp_path / "replies.jsonl", script)
    requests = [request(finish) for finish in ("refused", "failed", "filtered", "length")]
    for _ in range(2):
        list(generator.generate(requests))
    assert [r.messages[-1].text for r in inner.asked[4:]] == ["refused", "failed"]
    generator.close()


def test_replies_before_a_failure_are_kept(tmp_path):
    def script(request):
        if request.messages[-1].text == "b":
            raise StoppedError("gone")
        return "fine"

    _, generator = stored(tmp_path / "replies.jsonl", script)
    with pytest.raises(StoppedError):
        list(generator.generate([request("a"), request("b")]))
    generator.close()
    assert [json.loads(line)["reply"]["text"] for line in (tmp_path / "replies.jsonl").open()] == ["fine"]


def test_a_full_disk_stops_the_run_with_a_sentence_and_leaves_whole_lines(tmp_path, monkeypatch):
    store = ReplyStore(tmp_path / "replies.jsonl")
    store.add("1", Reply(text="fits", finish="stop"), about={})
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))
    with pytest.raises(StoppedError, match=r"cannot write .*replies\.jsonl .*make room"):
        store.add("2", Reply(text="does not", finish="stop"), about={})
    monkeypatch.undo()
    store.add("3", Reply(text="fits again", finish="stop"), about={})
    store.close()
    with ReplyStore(tmp_path / "replies.jsonl") as store:
        assert (store.get("1").text, store.get("2"), store.get("3").text) == ("fits", None, "fits again")
