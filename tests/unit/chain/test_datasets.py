"""Parquet and JSON give the same images to train on; what cannot be used is refused or counted."""

import json
import logging
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from PIL import Image

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import Instance
from pancap.chain.data.datasets import read_training_images, write_training_images
from pancap.chain.tuples import make_examples
from pancap.configs import UsageError

CAPTION = "A red square [[0.100, 0.200, 0.300, 0.400]] is left of the big blue square [[0.5, 0.50, 0.75123, 0.9]]."


def write_captions(path, captions):
    path.write_text(json.dumps([{"image_path": name, "gt_response": text} for name, text in captions]))
    return path


def write_picture(path, *, size=(40, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 30)).save(path)
    return path


def test_rows_with_an_error_or_no_box_are_left_out(squares_parquet, tmp_path):
    rows = pq.read_table(squares_parquet)
    listed = rows.to_pylist()
    listed[0]["error"] = "broken"
    listed[1]["entities"] = [{"tag": "square", "box": None, "score": 1.0, "source": "truth"}]
    pq.write_table(rows.from_pylist(listed, schema=rows.schema), tmp_path / "some.parquet")
    kept = read_training_images(tmp_path / "some.parquet")
    assert [image.image_id for image in kept] == [row["image_id"] for row in listed[2:]]


def test_a_missing_dataset_and_a_foreign_table_are_refused_in_one_sentence(squares_parquet, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_training_images(tmp_path / "none.parquet")
    pq.write_table(pq.read_table(squares_parquet, columns=["uri", "caption"]), tmp_path / "foreign.parquet")
    with pytest.raises(UsageError, match="lacks the columns image_id, width, height, entities"):
        read_training_images(tmp_path / "foreign.parquet")


def test_captions_of_sapancap_bring_their_instances_and_the_file_its_id_and_size(squares_parquet, tmp_path):
    first = read_training_images(squares_parquet)[0]
    data = write_captions(tmp_path / "captions.json", [(first.path.name, f" {CAPTION}\n")])
    (image,) = read_training_images(data, images=first.path.parent)
    assert (image.image_id, image.path, image.width, image.height) == (first.image_id, first.path, 64, 64)
    assert image.instances == (
        Instance(tag="red square", box=Box(0.1, 0.2, 0.3, 0.4)),
        Instance(tag="big blue square", box=Box(0.5, 0.5, 0.751, 0.9)),
    )
    assert image.caption == CAPTION.replace("0.5, 0.50, 0.75123, 0.9", "0.500, 0.500, 0.751, 0.900")


def test_a_json_may_shout_its_name(tmp_path):
    write_picture(tmp_path / "a.png")
    assert len(read_training_images(write_captions(tmp_path / "CAPTIONS.JSON", [("a.png", CAPTION)]))) == 1


def test_paths_count_from_the_json_and_a_photograph_on_its_side_is_measured_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "a.jpg", exif=exif)
    data = write_captions(tmp_path / "captions.json", [("images/a.jpg", CAPTION)])
    (image,) = read_training_images(data)
    assert (image.width, image.height) == (20, 40)


def test_images_that_are_not_there_are_counted_and_left_out(tmp_path, caplog):
    write_picture(tmp_path / "a.png")
    (tmp_path / "page.png").write_text("<html>")
    captions = [("b.png", CAPTION), ("a.png", CAPTION), ("page.png", CAPTION), ("a.png", "no box"), ("c.png", CAPTION)]
    data = write_captions(tmp_path / "captions.json", captions)
    with caplog.at_level(logging.WARNING):
        images = read_training_images(data)
    assert [image.path.name for image in images] == ["a.png"]
    assert caplog.messages == [
        f"4 of 5 images of {data} are left out: 2 no such file, 1 image refused (not_an_image), 1 no box in its caption "
        "(the first: 'b.png')"
    ]


def test_a_dataset_without_any_image_says_where_it_looked(tmp_path):
    data = write_captions(tmp_path / "captions.json", [("b.png", CAPTION)])
    with pytest.raises(UsageError, match=rf"1 no such file .* looked for them in {tmp_path}, set images=FOLDER"):
        read_training_images(data)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "link.png", "folder/../../secret.png", "a\0.png"])
def test_no_image_outside_its_folder_is_read(name, tmp_path):
    """R22."""
    root = tmp_path / "images"
    write_picture(root / "a.png")
    write_picture(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    data = write_captions(root / "captions.json", [("a.png", CAPTION), (name, CAPTION)])
    with pytest.raises(UsageError, match="expected images inside") as caught:
        read_training_images(data)
    assert "\n" not in str(caught.value)


def test_an_absolute_path_is_read_where_the_users_folder_holds_it(tmp_path):
    path = write_picture(tmp_path / "images" / "a.png")
    data = write_captions(tmp_path / "elsewhere.json", [(str(path), CAPTION)])
    assert [image.path for image in read_training_images(data, images=tmp_path)] == [path]


@pytest.mark.parametrize("name", ["", "folder", "x" * 5000 + ".png"])
def test_a_name_that_is_no_file_is_left_out_and_no_traceback(name, tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    data = write_captions(tmp_path / "captions.json", [("a.png", CAPTION), (name, CAPTION)])
    assert len(read_training_images(data)) == 1


def test_half_an_emoji_is_left_out(tmp_path):
    """JSON can say it; the tokenizer and the parquet of a run would stop on it."""
    write_picture(tmp_path / "a.png")
    data = write_captions(tmp_path / "captions.json", [("a.png", CAPTION), ("a.png", f"\ud83d {CAPTION}")])
    assert [image.caption[0] for image in read_training_images(data)] == ["A"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": []}', "[1]", '[{"image_path": 1, "gt_response": "x"}]'])
def test_a_json_of_another_kind_is_refused_in_one_sentence(text, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="SA-Pancap's captions") as caught:
        read_training_images(path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_images_is_refused_where_it_would_have_no_effect(squares_parquet, tmp_path):
    with pytest.raises(UsageError, match="is for a JSON"):
        read_training_images(squares_parquet, images=tmp_path)


def test_the_rows_of_a_run_are_kept_as_they_are(squares_parquet, tmp_path):
    """Workers and resumed runs read them instead of the JSON, whose images may have gone meanwhile."""
    images = read_training_images(squares_parquet)
    write_training_images(images, tmp_path / "data.parquet")
    assert read_training_images(tmp_path / "data.parquet") == images


def test_the_discovery_stage_is_drawn_anew_for_a_json_too(tmp_path):
    write_picture(tmp_path / "a.png")
    entities = " ".join(f"A thing [[0.{low}00, 0.100, 0.{low}50, 0.900]]." for low in range(8))
    (image,) = read_training_images(write_captions(tmp_path / "captions.json", [("a.png", entities)]))
    settings = {"coordinates": "text", "mode": "chain", "order": "caption"}
    asked = {make_examples(image, **settings, seed=seed)[2].prompt for seed in range(10)}
    other = replace(image, image_id="another")
    assert len(asked) > 5
    assert make_examples(image, **settings, seed=0) != make_examples(other, **settings, seed=0)
