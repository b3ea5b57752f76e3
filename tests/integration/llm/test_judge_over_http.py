"""The judge, end to end over HTTP: real captions, corrupt replies, a killed run that goes on."""

import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

from pancap.configs import TooManyBadRowsError, load_config
from pancap.scoring import ScoreConfig, score_captions

NUM_CAPTIONS = 20


@pytest.fixture(scope="module")
def captions(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    records = json.loads(path.read_text())[:NUM_CAPTIONS]
    return {record["image_path"]: record["gt_response"] for record in records}


def overrides(chat_server, store, *more):
    return [
        "judge=llm",
        "encoder=none",
        "bootstrap=0",
        "llm.model=scripted",
        f"llm.endpoint.base_url={chat_server.url}",
        "llm.endpoint.concurrency=4",
        "llm.endpoint.max_wait_s=0.1",
        f"llm.store={store}",
        *more,
    ]


def score(candidates, references, chat_server, store, *more):
    config, _ = load_config(ScoreConfig, overrides=overrides(chat_server, store, *more))
    return score_captions(candidates, references, config)


def num_shared(first, second):
    """Characters that two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def asked(chat_server):
    return [json.dumps(body, sort_keys=True) for body in chat_server.bodies]


def test_real_captions_through_all_steps_and_the_second_candidate_costs_half(captions, chat_server, tmp_path):
    store = tmp_path / "replies.jsonl"
    shorter = {image: text[: len(text) // 2] for image, text in captions.items()}
    first = score(shorter, captions, chat_server, store)
    assert first.n == NUM_CAPTIONS and first.unjudged == ()
    assert {name: step.num_invalid for name, step in first.judge_replies.items()} == dict.fromkeys(
        ("extract", "contradict", "answer"), 0
    )
    assert first.judge_replies["extract"].num == 2 * NUM_CAPTIONS
    assert len(set(asked(chat_server))) == len(chat_server.bodies)
    assert 0.2 < first.dimensions["tag"].f1 < 0.95
    assert first.dimensions["tag"].precision > first.dimensions["tag"].recall
    assert first.judge.startswith("llm scripted, prompts 1-") and "0 of 40 of extract" in first.render()
    num = len(chat_server.bodies)
    again = score(shorter, captions, chat_server, store)
    assert again.images == first.images and len(chat_server.bodies) == num
    score({image: text[: len(text) // 3] for image, text in captions.items()}, captions, chat_server, store)
    extractions = [body for body in chat_server.bodies[num:] if "[box " in body["messages"][-1]["content"]]
    assert len(extractions) <= NUM_CAPTIONS


def test_each_request_begins_as_the_one_before(captions, chat_server, tmp_path):
    """So that a prefix cache serves nearly all of every prompt (counted in characters here)."""
    score(captions, captions, chat_server, tmp_path / "replies.jsonl", "llm.endpoint.concurrency=1")
    for word in ("Statement 1:", "True:"):
        prompts = [
            "".join(message["content"] for message in body["messages"])
            for body in chat_server.bodies
            if word in body["messages"][-1]["content"]
        ]
        shared = sum(num_shared(*pair) for pair in itertools.pairwise(prompts))
        assert shared / sum(map(len, prompts)) > 0.9


def test_corrupt_replies_are_counted_and_change_no_score(captions, chat_server, tmp_path):
    """R25."""
    honest = chat_server.plan
    clean = score(captions, captions, chat_server, tmp_path / "clean.jsonl")

    def corrupting(number, body):
        kind = number % 40
        if kind == 0:
            return {"text": '{"entities": ["1|who', "finish": "length"}
        if kind == 1:
            return "I cannot help with that."
        if kind == 2:
            return {"status": 500}
        return honest(number, body)

    chat_server.plan = corrupting
    retried = score(captions, captions, chat_server, tmp_path / "corrupt.jsonl", "llm.retries=6")
    assert retried.images == clean.images
    assert sum(step.num_asked for step in retried.judge_replies.values()) > sum(
        step.num_asked for step in clean.judge_replies.values()
    )


def test_too_few_valid_replies_are_no_result_and_say_why(captions, chat_server, tmp_path):
    """R25."""
    honest = chat_server.plan
    chat_server.plan = lambda number, body: (
        "perhaps" if "Statement 1:" in body["messages"][-1]["content"] and number % 3 == 0 else honest(number, body)
    )
    settings = ["llm.retries=0", "llm.endpoint.concurrency=1"]
    with pytest.raises(TooManyBadRowsError, match=r"step answer are invalid \(\d+ not two of yes and no\); .*95 %"):
        score(captions, captions, chat_server, tmp_path / "replies.jsonl", *settings)
    report = score(captions, captions, chat_server, tmp_path / "replies.jsonl", *settings, "llm.min_valid=0")
    invalid = report.judge_replies["answer"]
    assert 0.2 < invalid.num_invalid / invalid.num < 0.5 and invalid.num_asked == 0
    assert f"{invalid.num_invalid} of {invalid.num} of answer" in report.render()
    assert report.dimensions["att"].f1 > 0.9  # what is left is judged as before


def test_a_killed_run_goes_on_and_asks_nothing_twice(captions, chat_server, tmp_path):
    """SIGKILL in the middle of every step, through the command line."""
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    honest = chat_server.plan
    expected = score(captions, captions, chat_server, tmp_path / "whole.jsonl")
    num_needed = len(chat_server.bodies)
    chat_server.bodies.clear()
    program = [sys.executable, "-c", "from pancap.platform.cli import main; main()", "score", "captions"]
    files = [str(tmp_path / "captions.json")] * 2
    command = [*program, "--json", "--track", "none", *files, *overrides(chat_server, tmp_path / "replies.jsonl")]
    running = []

    def deadly(number, body):
        if number in fatal:
            os.kill(running[-1].pid, signal.SIGKILL)
            return {"sleep_s": 0.5, "text": ""}
        return honest(number, body)

    fatal = {10, num_needed // 3, num_needed - 40}
    chat_server.plan = deadly
    for _ in range(len(fatal)):
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path))
        running[-1].communicate(timeout=240)
        assert running[-1].returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"] == pytest.approx(expected.overall, abs=1e-9)
    num_twice = len(chat_server.bodies) - len(set(asked(chat_server)))
    assert num_twice <= 2 * 4 * len(fatal)  # at most what was under way at each kill
    assert len(set(asked(chat_server))) == num_needed
    lines = [json.loads(line) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == num_needed
