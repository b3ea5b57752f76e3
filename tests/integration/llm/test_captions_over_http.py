"""`pancap caption` against a real HTTP endpoint that answers well, badly, or not at all."""

import base64
import json
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pancap.chain.config import CaptionConfig, PromptingConfig
from pancap.chain.folder import caption_folder
from pancap.configs import StoppedError, TooManyBadRowsError, UsageError
from pancap.llm.config import EndpointConfig

NUM_IMAGES = 12
ANSWERS = {
    "Find every entity": "[[100, 200, 300, 400]]\n[[1, 2, 3",
    "Say what is in each": "Cat [[100, 200, 300, 400]]",
    "Some entities": "- dog: [500, 500, 900, 900]",
    "Describe this image": "A cat [[100, 200, 300, 400]] and a dog [[500, 500, 900, 900]].",
}
STAGES = ("Find every entity", "Say what is in each", "Some entities", "Describe this image")


@pytest.fixture
def images(tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(NUM_IMAGES):
        Image.fromarray(np.full((40, 60, 3), 20 * number, np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def config(images, chat_server, tmp_path):
    return CaptionConfig(
        model="some-vlm",
        images=str(images),
        out=str(tmp_path / "out"),
        backend="openai",
        prompting=PromptingConfig(prompts="C", boxes="thousandths"),
        endpoint=EndpointConfig(base_url=chat_server.url, concurrency=2, timeout_s=20, retries=1, max_wait_s=0.1),
    )


def stage_of(body):
    text = body["messages"][-1]["content"][-1]["text"]
    return next(start for start in STAGES if text.startswith(start))


def gray_of(body):
    """Which image was sent, by its colour."""
    from PIL import Image

    url = body["messages"][-1]["content"][0]["image_url"]["url"]
    picture = Image.open(BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    return int(np.asarray(picture)[0, 0, 0]) // 20


def honest(number, body):
    return ANSWERS[stage_of(body)]


def lines(config, name):
    return [json.loads(line) for line in Path(config.out, name).read_text(encoding="utf-8").splitlines()]


def test_a_model_that_never_saw_the_chain_goes_through_its_stages(config, chat_server):
    """The paper's experiment with a 72B model: the four stages as prompts alone.

    An answer takes its time: of answers that are there at once, two may never be under way together.
    """
    chat_server.plan = lambda number, body: {"text": honest(number, body), "sleep_s": 0.05}
    summary = caption_folder(config)
    assert (summary.num_images, summary.num_dropped_boxes, summary.refused) == (NUM_IMAGES, NUM_IMAGES, ())
    records = lines(config, "captions.jsonl")
    assert [record["image_path"] for record in records] == [f"{number:02}.png" for number in range(NUM_IMAGES)]
    for record in records:
        assert record["caption"] == "A cat [[0.100, 0.200, 0.300, 0.400]] and a dog [[0.500, 0.500, 0.900, 0.900]]."
        assert [entity["tag"] for entity in record["entities"]] == ["cat", "dog"]
        assert record["entities"][1] == {"tag": "dog", "box": [0.5, 0.5, 0.9, 0.9], "confidence": None}
        assert record["dropped"] == {"loc": ["unclosed: [[1, 2, 3"]}
        assert list(record["stages"]) == list(record["timings_s"]) == ["loc", "tag", "disc", "cap"]
    assert sorted(map(gray_of, chat_server.bodies)) == sorted(list(range(NUM_IMAGES)) * 4)
    assert chat_server.num_most == 2
    assert "boxes dropped       12" in summary.render()


def test_a_slow_image_holds_no_other_one_up(config, chat_server):
    """The first image's first stage ends only when all others are through their last."""
    finished, all_others = [], threading.Event()

    def plan(number, body):
        if stage_of(body) == STAGES[-1]:
            finished.append(gray_of(body))
            if len(finished) == NUM_IMAGES - 1:
                all_others.set()
        is_slow = gray_of(body) == 0 and stage_of(body) == STAGES[0]
        return {"text": honest(number, body), "until": all_others} if is_slow else honest(number, body)

    chat_server.plan = plan
    caption_folder(config)
    assert sorted(finished) == list(range(NUM_IMAGES)) and finished[-1] == 0


def test_an_image_that_is_not_answered_is_set_aside_and_tried_again_by_the_next_run(config, chat_server):
    """R14 (too long for the model: refused, and never cut), R21 (not an image)."""
    bad_file = Path(config.images, "page.jpg")
    bad_file.write_text("<html>")
    too_long = {"status": 400, "raw": '{"error": {"message": "context length exceeded"}}'}
    chat_server.plan = lambda number, body: (
        too_long if gray_of(body) == 2 and stage_of(body) == STAGES[2] else honest(number, body)
    )
    config = replace(config, max_bad_fraction=0.5)
    summary = caption_folder(config)
    assert (summary.num_images, len(summary.refused)) == (NUM_IMAGES - 1, 2)
    unanswered, unreadable = lines(config, "errors.jsonl")
    assert unanswered["error"] == "stage disc, refused: 400 (context length exceeded)"
    assert list(unanswered["stages"]) == ["loc", "tag"]
    assert (unreadable["image_path"], "<html>" in unreadable["error"]) == (bad_file.name, True)
    assert "02.png" not in {record["image_path"] for record in lines(config, "captions.jsonl")}
    chat_server.bodies.clear()
    chat_server.plan = honest
    again = caption_folder(config)
    assert (again.num_images, again.num_resumed) == (NUM_IMAGES, NUM_IMAGES - 1)
    assert set(map(gray_of, chat_server.bodies)) == {2}
    assert [error["image_path"] for error in lines(config, "errors.jsonl")] == ["page.jpg"]


def test_too_many_images_without_a_caption_end_the_run_with_code_3_and_all_results(config, chat_server):
    chat_server.plan = lambda number, body: (
        {"text": "", "finish": "content_filter"} if gray_of(body) < 3 else honest(number, body)
    )
    with pytest.raises(TooManyBadRowsError, match=r"3 of 12 images have no caption, more than max_bad_fraction=0.2"):
        caption_folder(config)
    assert len(lines(config, "captions.jsonl")) == NUM_IMAGES - 3
    assert {error["error"][:19] for error in lines(config, "errors.jsonl")} == {"stage loc, filtered"}


def test_a_run_that_was_stopped_buys_no_caption_again(config, chat_server):
    """R9: the endpoint goes away for good; what was captioned by then is kept, and only the rest is asked for."""
    gone = {"status": 503}
    chat_server.plan = lambda number, body: gone if number > 14 else honest(number, body)
    config = replace(config, endpoint=replace(config.endpoint, retries=0))
    with pytest.raises(StoppedError, match="start the same command again"):
        caption_folder(config)
    kept = {record["image_path"] for record in lines(config, "captions.jsonl")}
    assert kept
    chat_server.bodies.clear()
    chat_server.plan = honest
    assert caption_folder(config).num_resumed == len(kept)
    assert {f"{gray_of(body):02}.png" for body in chat_server.bodies}.isdisjoint(kept)


def test_another_prompt_or_frame_is_another_run(config, chat_server):
    """R2."""
    chat_server.plan = honest
    caption_folder(config)
    other = replace(config, prompting=replace(config.prompting, boxes="fractions"))
    with pytest.raises(UsageError, match=r"prompting.boxes: thousandths -> fractions"):
        caption_folder(other)
    moved = replace(config, endpoint=replace(config.endpoint, concurrency=1))
    assert caption_folder(moved).num_resumed == NUM_IMAGES
