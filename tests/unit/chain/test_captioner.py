import json
import os
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.chain.backends.base import Answer
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.captioner import Captioner, load_captioner
from pancap.chain.config import CaptionConfig, DecodingConfig
from pancap.chain.folder import caption_folder
from pancap.chain.model import save_checkpoint
from pancap.chain.stages import ChainState
from pancap.configs import UsageError

SHORT = DecodingConfig(max_new_tokens_loc=15, max_new_tokens_tag=30, max_new_tokens_disc=15, max_new_tokens_cap=30)


class PerfectBackend:
    """Knows the answers; asks about two images in turn and records how it was asked."""

    coordinates = "tokens"

    def __init__(self, answers, confidence=None):
        self.answers = answers
        self.confidence = confidence or {}
        self.asked = []

    def codec(self, image):
        return BoxCodec(coordinates="tokens")

    def converse(self, openings, *, follow):
        waiting, under_way = iter(openings), []
        while under_way := under_way + [question for _, question in islice(waiting, 2 - len(under_way))]:
            question = under_way.pop(0)
            stage = question.stage
            self.asked.append((question.image, stage))
            answer = Answer(text=self.answers[stage], confidence=self.confidence.get(stage, {}))
            if following := follow(question.image, answer):
                under_way.append(following)
            yield question.image


def test_every_image_goes_through_the_four_stages():
    backend = PerfectBackend(
        {
            "loc": "<box><c100><c200><c300><c400>",
            "tag": " cat<box><c100><c200><c300><c400>",
            "disc": " dog<box><c500><c200><c700><c400>",
            "cap": "A cat<box><c100><c200><c300><c400> and a dog.",
        }
    )
    image = np.zeros((8, 8, 3), np.uint8)
    results = Captioner(backend).caption([image] * 3)
    stages = ["loc", "tag", "disc", "cap"]
    assert backend.asked == [(place, stage) for stage in stages for place in (0, 1)] + [(2, stage) for stage in stages]
    assert results[2].caption == "A cat [[0.100, 0.200, 0.300, 0.400]] and a dog."
    assert [(entity.id, entity.tag) for entity in results[0].entities] == [(1, "cat"), (2, "dog")]
    assert list(results[0].timings_s) == stages
    assert list(results[0].stages) == stages


def test_two_stages_list_the_instances_and_caption_them():
    answers = {"inst": " cat<box><c100><c200><c300><c400>", "cap": "A cat<box><c100><c200><c300><c400>."}
    backend = PerfectBackend(answers)
    (result,) = Captioner(backend, mode="two_stage").caption([np.zeros((8, 8, 3), np.uint8)])
    assert [stage for _, stage in backend.asked] == ["inst", "cap"]
    assert [(entity.tag, entity.box) for entity in result.entities] == [("cat", Box(0.1, 0.2, 0.3, 0.4))]


def test_without_a_caption_stage_the_instances_are_the_caption():
    backend = PerfectBackend({"inst": " cat<box><c100><c200><c300><c400>"})
    (result,) = Captioner(backend, mode="instances").caption([np.zeros((8, 8, 3), np.uint8)])
    assert [stage for _, stage in backend.asked] == ["inst"]
    assert result.caption == "cat [[0.100, 0.200, 0.300, 0.400]]"
    assert [(entity.tag, entity.box) for entity in result.entities] == [("cat", Box(0.1, 0.2, 0.3, 0.4))]


def test_a_caption_with_boxes_of_its_own_says_what_the_entities_are():
    answers = {
        "loc": "<box><c100><c200><c300><c400>",
        "tag": " cat<box><c100><c200><c300><c400>",
        "disc": "None",
        "cap": "A dog<box><c110><c200><c300><c400>.",
    }
    captioner = Captioner(PerfectBackend(answers), has_own_boxes=True)
    (result,) = captioner.caption([np.zeros((8, 8, 3), np.uint8)])
    assert [(entity.tag, entity.box) for entity in result.entities] == [("dog", Box(0.11, 0.2, 0.3, 0.4))]


@pytest.mark.parametrize("is_refining", [False, True])
def test_only_a_caption_stage_that_learned_it_leaves_the_known_boxes(token_checkpoint, is_refining):
    meta = replace(token_checkpoint.meta, refines_captions=is_refining)
    backend = TransformersBackend(replace(token_checkpoint, meta=meta))
    known = ChainState(instances=(Instance(tag="cat", box=Box(0.1, 0.2, 0.3, 0.4)),))
    rules = backend._rules("cap", known, codec=BoxCodec(coordinates="tokens"))
    assert rules.known == (() if is_refining else ((100, 200, 300, 400),))
    assert len(rules.known_tags) == len(rules.known)


def test_a_box_keeps_the_confidence_with_which_it_was_placed():
    answers = {
        "loc": "<box><c100><c200><c300><c400><box><c10><c20><c30><c40>",
        "tag": " cat<box><c100><c200><c300><c400> dog<box><c11><c20><c30><c40>",
        "disc": "None",
        "cap": "A cat<box><c100><c200><c300><c400>.",
    }
    confidence = {
        "loc": {Box(0.1, 0.2, 0.3, 0.4): 0.9, Box(0.01, 0.02, 0.03, 0.04): 0.8},
        "tag": {Box(0.011, 0.02, 0.03, 0.04): 0.5},  # corrected there, the other one copied
    }
    (result,) = Captioner(PerfectBackend(answers, confidence)).caption([np.zeros((8, 8, 3), np.uint8)])
    assert result.confidences == (0.9, 0.5)
    (unsure,) = Captioner(PerfectBackend(answers)).caption([np.zeros((8, 8, 3), np.uint8)])
    assert unsure.confidences == (None, None)


def test_an_image_without_boxes_is_asked_for_no_tags():
    backend = PerfectBackend({"loc": "nothing", "disc": "None", "cap": "A wall."})
    (result,) = Captioner(backend).caption([np.zeros((8, 8, 3), np.uint8)])
    assert [stage for _, stage in backend.asked] == ["loc", "disc", "cap"]
    assert result.stages["tag"] == ""
    assert result.entities == ()


def test_one_stage_reads_entities_from_the_caption():
    backend = PerfectBackend(
        {"one_stage": "At night, a red car<box><c1><c2><c30><c40> passes the old stone house<box><c5><c6><c70><c80>."}
    )
    (result,) = Captioner(backend, mode="one_stage").caption([np.zeros((8, 8, 3), np.uint8)])
    assert [entity.tag for entity in result.entities] == ["red car", "old stone house"]


@pytest.mark.parametrize("form", ["token_checkpoint", "text_checkpoint"])
def test_a_random_model_gives_a_result_for_every_image(form, request, pictures):
    checkpoint = request.getfixturevalue(form)
    backend = TransformersBackend(checkpoint, decoding=SHORT, batch_size=2)
    results = Captioner(backend).caption(pictures)
    assert backend.num_images_encoded == len(results) == len(pictures)
    again = Captioner(TransformersBackend(checkpoint, decoding=SHORT, batch_size=5)).caption(pictures)
    assert [result.caption for result in again] == [result.caption for result in results]


@pytest.fixture
def checkpoint_dir(token_checkpoint, tmp_path):
    return save_checkpoint(
        token_checkpoint.model,
        tokenizer=token_checkpoint.tokenizer,
        directory=tmp_path / "checkpoint",
        meta=token_checkpoint.meta,
    )


@pytest.fixture
def images_dir(tmp_path, pictures):
    from PIL import Image

    folder = tmp_path / "scenes" / "images"
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index}.png")
    (folder / "page.jpg").write_text("<html>")
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_a_folder_is_captioned_and_the_bad_image_reported(checkpoint_dir, images_dir, tmp_path):
    """R21."""
    config = CaptionConfig(
        model=str(checkpoint_dir), images=str(images_dir.parent), out=str(tmp_path / "out"), decoding=SHORT
    )
    progress = []
    summary = caption_folder(config, on_progress=lambda *step: progress.append(step))
    captions = json.loads((tmp_path / "out" / "captions.json").read_text())
    records = [json.loads(line) for line in (tmp_path / "out" / "captions.jsonl").read_text().splitlines()]
    assert [item["image_path"] for item in captions] == [f"images/{index}.png" for index in range(5)]
    assert [record["caption"] for record in records] == [item["pred_response"] for item in captions]
    entities = [entity for record in records for entity in record["entities"]]
    assert entities and all(0 <= entity["confidence"] <= 1 for entity in entities)
    assert summary.num_images == 5
    assert [name for name, _ in summary.refused] == ["images/page.jpg"]
    assert progress[-1] == ("captions", 6, 6)
    assert json.dumps(summary.to_dict())
    assert "images refused      1" in summary.render()


def test_a_killed_run_goes_on_and_gives_what_an_undisturbed_one_gives(checkpoint_dir, images_dir, tmp_path):
    """R1."""
    settings = {"model": str(checkpoint_dir), "images": str(images_dir), "decoding": SHORT, "batch_size": 2}
    whole = CaptionConfig(**settings, out=str(tmp_path / "whole"))
    caption_folder(whole)
    cut = CaptionConfig(**settings, out=str(tmp_path / "cut"))
    caption_folder(replace(cut, limit=3))
    lines = tmp_path / "cut" / "captions.jsonl"
    lines.write_text(lines.read_text()[:-20])  # killed while it wrote the third
    encoded = []
    summary = caption_folder(cut, on_progress=lambda *step: encoded.append(step))
    assert (summary.num_images, summary.num_resumed) == (5, 2)
    assert "(2 of them by an earlier run)" in summary.render()
    assert (tmp_path / "cut" / "captions.json").read_text() == (tmp_path / "whole" / "captions.json").read_text()
    assert len(lines.read_text().splitlines()) == 5
    again = caption_folder(cut)
    assert (again.num_images, again.num_resumed, again.seconds) == (5, 5, 0.0)


def test_a_name_that_is_no_utf8_costs_no_run(checkpoint_dir, images_dir, tmp_path):
    """One such file killed the run when its caption was written, and every run that went on with it."""
    os.rename(images_dir / "0.png", os.fsencode(images_dir / "0") + b"\xff.png")
    os.rename(images_dir / "page.jpg", os.fsencode(images_dir / "page") + b"\xff.jpg")
    out = tmp_path / "out"
    config = CaptionConfig(model=str(checkpoint_dir), images=str(images_dir), out=str(out), decoding=SHORT)
    first, again = caption_folder(config), caption_folder(config)
    assert (first.num_images, again.num_resumed) == (5, 5)
    for name in ("captions.json", "captions.jsonl", "errors.jsonl"):
        (out / name).read_bytes().decode("utf-8")
    assert json.loads((out / "captions.json").read_text())[0]["image_path"] == "images/0\udcff.png"
    (again.render() + json.dumps(again.to_dict(), ensure_ascii=False)).encode("utf-8")


def test_captions_of_other_settings_are_not_mixed_in(checkpoint_dir, images_dir, tmp_path):
    """R2."""
    config = CaptionConfig(
        model=str(checkpoint_dir), images=str(images_dir), out=str(tmp_path / "out"), decoding=SHORT, limit=1
    )
    caption_folder(config)
    other = replace(config, decoding=replace(SHORT, max_new_tokens_cap=7))
    with pytest.raises(UsageError, match=r"settings \(decoding.max_new_tokens_cap: 30 -> 7\); give"):
        caption_folder(other)
    assert caption_folder(replace(other, overwrite=True)).num_resumed == 0


def test_an_image_that_changed_is_captioned_again(checkpoint_dir, images_dir, tmp_path):
    config = CaptionConfig(model=str(checkpoint_dir), images=str(images_dir), out=str(tmp_path / "out"), decoding=SHORT)
    caption_folder(config)
    (images_dir / "0.png").write_bytes((images_dir / "1.png").read_bytes())
    assert caption_folder(config).num_resumed == 4
    assert len((tmp_path / "out" / "captions.jsonl").read_text().splitlines()) == 5
    first, second = json.loads((tmp_path / "out" / "captions.json").read_text())[:2]
    assert first["pred_response"] == second["pred_response"]


def test_pictures_show_the_boxes_where_asked_for(checkpoint_dir, images_dir, tmp_path):
    from PIL import Image

    config = CaptionConfig(model=str(checkpoint_dir), images=str(images_dir), out=str(tmp_path / "out"), decoding=SHORT)
    caption_folder(config)
    assert caption_folder(replace(config, draw=True)).num_resumed == 5
    drawn = sorted((tmp_path / "out" / "overlays").rglob("*.png"))
    assert [path.name for path in drawn] == [f"{index}.png.png" for index in range(5)]
    records = [json.loads(line) for line in (tmp_path / "out" / "captions.jsonl").read_text().splitlines()]
    number = next(number for number, record in enumerate(records) if record["entities"])
    picture = Image.open(drawn[number]).convert("RGB")
    plain = Image.open(images_dir / f"{number}.png").convert("RGB").resize(picture.size, Image.Resampling.NEAREST)
    assert (np.array(picture) != np.array(plain)).any(axis=2).mean() > 0.01


def test_a_folder_of_scenes_is_not_taken_for_captions(checkpoint_dir, images_dir, tmp_path):
    """The references of a Scenes folder have the name of what captioning writes."""
    folder = images_dir.parent
    (folder / "run.json").write_text('{"kind": "scenes"}')
    (folder / "captions.json").write_text("[]")
    config = CaptionConfig(model=str(checkpoint_dir), images=str(folder), out=str(folder), overwrite=True)
    with pytest.raises(UsageError, match="holds scenes, not captions; give another out=FOLDER"):
        caption_folder(config)
    assert (folder / "captions.json").read_text() == "[]"


def test_names_do_not_depend_on_which_of_the_two_folders_is_given(images_dir):
    from pancap.chain.sources import find_images

    assert find_images(images_dir) == find_images(images_dir.parent)


def test_several_sources_are_one_run_unless_two_images_have_one_name(images_dir, tmp_path):
    from pancap.chain.sources import find_images

    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "5.png").write_bytes((images_dir / "0.png").read_bytes())
    files = find_images([images_dir, tmp_path / "more", tmp_path / "more" / "5.png"])
    assert [file.name for file in files] == [*(f"images/{n}.png" for n in range(5)), "images/page.jpg", "5.png"]
    assert len(find_images([images_dir, tmp_path / "more"], limit=2)) == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "5.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"would both be called 5\.png; caption them into two folders"):
        find_images([tmp_path / "more", tmp_path / "other"])


@pytest.mark.parametrize("case", ["missing", "empty", "unreadable"])
def test_a_source_without_images_is_refused_in_one_sentence(case, checkpoint_dir, tmp_path):
    folder = tmp_path / "source"
    if case != "missing":
        folder.mkdir()
    if case == "unreadable":
        (folder / "page.jpg").write_text("<html>")
    config = CaptionConfig(model=str(checkpoint_dir), images=str(folder), out=str(tmp_path / "out"))
    with pytest.raises(UsageError) as caught:
        caption_folder(config)
    assert "\n" not in str(caught.value)


def test_a_missing_checkpoint_is_refused_in_one_sentence(images_dir, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        caption_folder(CaptionConfig(model=str(tmp_path / "none"), images=str(images_dir)))


def test_the_checkpoint_s_own_mode_is_the_default(checkpoint_dir):
    assert load_captioner(checkpoint_dir).mode == "chain"
    assert load_captioner(checkpoint_dir, mode="one_stage").mode == "one_stage"
