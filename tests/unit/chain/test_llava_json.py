"""What is written for other trainers can be trained on here, and is the same dataset."""

import json
import re
from dataclasses import replace
from random import Random

import pytest
from PIL import Image

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.data.datasets import read_training_images
from pancap.chain.data.llava_json import export_llava
from pancap.configs import UsageError

WIDE, TALL = (200, 100), (90, 160)


@pytest.fixture
def exported(squares_parquet, tmp_path):
    path = tmp_path / "llava.json"
    export_llava(read_training_images(squares_parquet), path)
    return path


def rewrite(path, change):
    records = json.loads(path.read_text())
    path.write_text(json.dumps([changed for record in records if (changed := change(record)) is not None]))


def only(*stages):
    return lambda record: record if record["id"].rsplit("_")[-1] in stages else None


def test_an_export_has_four_samples_an_image_with_asmv2_boxes(squares_parquet, exported):
    records = json.loads(exported.read_text())
    images = read_training_images(squares_parquet)
    assert len(records) == 4 * len(images)
    first = records[0]
    assert set(first) == {"id", "image", "conversations"}
    human, model = first["conversations"]
    assert human == {"from": "human", "value": "<image>\nPlease localize all entities in this image."}
    codec = BoxCodec(coordinates="text", width=64, height=64)
    assert model["value"] == ", ".join(codec.render_box(item.box) for item in images[0].instances)
    assert model["value"].startswith("<box>[[")


def test_an_export_of_square_images_is_read_back_as_it_was(squares_parquet, exported):
    """Thousandths of the square are thousandths of the image, so nothing is rounded."""
    assert read_training_images(exported, images=squares_parquet.parent) == read_training_images(squares_parquet)


@pytest.mark.parametrize("size", [WIDE, TALL])
def test_boxes_of_other_images_come_back_within_the_rounding_of_the_square(size, squares_parquet, tmp_path):
    """Half a thousandth of the long side by the square, and half a thousandth of the image by the caption's decimals."""
    width, height = size
    Image.new("RGB", size).save(tmp_path / "a.png")
    first = read_training_images(squares_parquet)[0]
    image = replace(first, path=tmp_path / "a.png", width=width, height=height)
    export_llava([image], tmp_path / "llava.json")
    (found,) = read_training_images(tmp_path / "llava.json")
    assert (found.width, found.height) == size
    assert [item.tag for item in found.instances] == [item.tag for item in image.instances]
    allowed_x, allowed_y = (0.0005 * max(size) / side + 0.0005 + 1e-9 for side in size)
    for item, true in zip(found.instances, image.instances, strict=True):
        differences = [abs(a - b) for a, b in zip(item.box.as_tuple(), true.box.as_tuple(), strict=True)]
        assert max(differences[::2]) <= allowed_x and max(differences[1::2]) <= allowed_y
    box = re.compile(r"\[\[.*?\]\]")
    assert box.sub("[]", found.caption) == box.sub("[]", image.caption)
    assert [Box(*json.loads(text)[0]) for text in box.findall(found.caption)] == [item.box for item in found.instances]


def test_samples_may_stand_in_any_order_and_of_each_stage_the_first_counts(squares_parquet, exported):
    records = json.loads(exported.read_text())
    again = [record for record in records if record["id"].endswith("_disc")]
    Random(0).shuffle(records)
    exported.write_text(json.dumps(records + again))
    found = read_training_images(exported, images=squares_parquet.parent)
    assert len(found) == len(records) / 4
    assert {image.image_id: image for image in found} == {
        image.image_id: image for image in read_training_images(squares_parquet)
    }


def test_without_a_tag_sample_the_captions_prompt_lists_the_instances(squares_parquet, exported):
    rewrite(exported, only("cap"))
    assert read_training_images(exported, images=squares_parquet.parent) == read_training_images(squares_parquet)


def test_images_without_a_caption_or_with_a_broken_list_are_left_out_and_counted(squares_parquet, exported, caplog):
    num_images = len(read_training_images(squares_parquet))
    first, second = (image.image_id for image in read_training_images(squares_parquet)[:2])

    def spoil(record):
        if record["id"] == f"{second}_tag":
            record["conversations"][1]["value"] = "square <box>[[1, 2, 3]]</box>"
        return None if record["id"] == f"{first}_cap" else record

    rewrite(exported, spoil)
    found = read_training_images(exported, images=squares_parquet.parent)
    assert len(found) == num_images - 2 and not {first, second} & {image.image_id for image in found}
    assert "1 no caption among its samples, 1 malformed list of instances" in caplog.text


def test_an_empty_caption_is_left_out_and_counted(squares_parquet, exported, caplog):
    """It was taken, and left out only where workers read the kept rows: all later images got others' pixels."""
    images = read_training_images(squares_parquet)

    def spoil(record):
        if record["id"] == f"{images[0].image_id}_cap":
            record["conversations"][1]["value"] = " "
        return record

    rewrite(exported, spoil)
    assert read_training_images(exported, images=squares_parquet.parent) == images[1:]
    assert "1 empty caption" in caplog.text


def test_ordinary_instruction_data_is_counted_and_refused_in_one_sentence(squares_parquet, exported):
    records = json.loads(exported.read_text())
    chat = [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A square."}]
    records += [{"id": "chat", "image": records[0]["image"], "conversations": 2 * chat}]
    exported.write_text(json.dumps(records))
    with pytest.raises(UsageError, match=r"2 questions in .* \(the first: 'What is this\?'\)") as caught:
        read_training_images(exported, images=squares_parquet.parent)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "turns", [None, [{"from": "human"}], [{"from": "human", "value": "x"}], [{"from": "gpt", "value": "x"}] * 2, [1, 2]]
)
def test_a_conversation_of_another_form_is_refused_by_its_number(turns, exported):
    rewrite(exported, lambda record: record | {"conversations": turns} if record["id"].endswith("_tag") else record)
    with pytest.raises(UsageError, match=r"sample 1 of .* human and gpt in turn"):
        read_training_images(exported)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_no_image_outside_its_folder_is_read(name, squares_parquet, exported):
    """R22."""
    rewrite(exported, lambda record: record | {"image": name})
    with pytest.raises(UsageError, match="expected images inside"):
        read_training_images(exported, images=squares_parquet.parent)
