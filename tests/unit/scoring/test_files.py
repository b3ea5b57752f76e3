import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pancap.configs.errors import UsageError
from pancap.scoring.files import align, check_box_units, load_captions, score_files


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


def test_lists_objects_and_lines_are_read(tmp_path):
    expected = {"a.jpg": "One.", "b.jpg": "Two."}
    sapancap = [{"image_path": "a.jpg", "gt_response": "One."}, {"image_path": "b.jpg", "gt_response": "Two."}]
    assert load_captions(write(tmp_path / "a.json", sapancap)) == {"image_path": expected}
    assert load_captions(write(tmp_path / "b.json", expected)) == {"image": expected}
    lines = "\n".join(json.dumps({"image_id": image, "caption": text}) for image, text in expected.items()) + "\n\n"
    assert load_captions(write(tmp_path / "c.jsonl", lines.encode())) == {"image_id": expected}


def test_a_dataset_folder_is_read_without_its_failed_rows(tmp_path):
    folder = tmp_path / "dataset.parquet"
    folder.mkdir()
    rows = {"image_id": ["x", "y"], "uri": ["a.jpg", "b.jpg"], "caption": ["One.", None], "error": [None, "bad"]}
    pq.write_table(pa.table(rows), folder / "part-0.parquet")
    captions = load_captions(folder)
    assert captions == {"image_id": {"x": "One."}, "uri": {"a.jpg": "One."}}
    references = load_captions(write(tmp_path / "r.json", [{"image_path": "a.jpg", "gt_response": "Uno."}]))
    assert align(captions, references) == ({"a.jpg": "One."}, {"a.jpg": "Uno."})


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b'[{"image_path": "a.jpg", "gt_resp', "not valid JSON .* cut off"),
        ("a.json", b'{"a.jpg": "caf\xe9"}', "must be UTF-8, got byte 0xe9 at 14"),
        ("a.json", [{"image": "a", "caption": "x"}] * 2, "image a stands twice .*record 1"),
        ("a.json", b'{"a.jpg": "x", "a.jpg": "y"}', "image a.jpg stands twice"),
        ("a.json", [{"image": "a", "words": "x"}], "must name a caption under one of .*got image, words"),
        ("a.json", [{"caption": "x"}], "must name an image"),
        ("a.json", [{"image": "a", "caption": None}], "must have texts"),
        ("a.json", ["x"], "must be an object, got str"),
        ("a.json", [], "has no captions"),
        ("a.json", 3, "must be a list of records or an object"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.txt", b"x", "got '.txt'"),
        ("a.parquet", b"PAR1 no", "not readable as parquet"),
        ("a.jsonl", b'{"image": "a", "caption": "x"}\n{', "line 2, is not valid JSON"),
    ],
)
def test_a_bad_file_gives_one_sentence(tmp_path, name, data, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_captions(write(tmp_path / name, data))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_without_tables_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.json does not exist"):
        load_captions(tmp_path / "nothing.json")
    with pytest.raises(UsageError, match=r"folder without \.parquet"):
        load_captions(tmp_path)


def test_paths_from_different_places_meet_by_their_ends():
    references = {"image": {"images/1.png": "One.", "images/2.png": "Two."}}
    moved = {"uri": {"/data/x/images/1.png": "Uno.", "/data/x/images/3.png": "Tres."}}
    assert align(moved, references) == ({"images/1.png": "Uno.", "/data/x/images/3.png": "Tres."}, references["image"])
    names = {"image": {"1.png": "Uno."}}
    assert align(names, references) == ({"images/1.png": "Uno."}, references["image"])


def test_paths_in_other_folders_are_other_images():
    references = {"image": {"test/1.jpg": "One.", "test/2.jpg": "Two."}}
    candidates = {"image": {"val/1.jpg": "Uno.", "val/2.jpg": "Dos."}}
    assert align(candidates, references)[0] == candidates["image"]


def test_line_separators_inside_a_caption_do_not_cut_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"image": "1", "caption": "A\u2028dog\u0085."}, ensure_ascii=False) + "\n")
    assert load_captions(path) == {"image": {"1": "A\u2028dog\u0085."}}


def test_paths_that_end_alike_twice_and_bare_ids_do_not_meet():
    references = {"image": {"a/1.png": "One.", "b/1.png": "Two."}}
    assert align({"image": {"c/1.png": "Uno."}}, references)[0] == {"c/1.png": "Uno."}
    assert align({"id": {"x/7": "Seven."}}, {"id": {"y/7": "Sept."}})[0] == {"x/7": "Seven."}


def test_boxes_that_are_no_fractions_are_refused_by_their_unit(tmp_path):
    check_box_units({"a": "the sky [[0.0, 0.001, 1.0, 1.0]]"}, where="x")
    with pytest.raises(UsageError, match=r"\[4, 322, 454, 927\] of image a in x, which looks like 0..1000"):
        check_box_units({"a": "sky <box>[[4, 322, 454, 927]]</box>"}, where="x")
    with pytest.raises(UsageError, match="looks like pixels"):
        check_box_units({"a": "sky [[4.5, 322.0, 1454.0, 927.0]]"}, where="x")
    bad = write(tmp_path / "a.json", {"a": "the sky [[0, 0, 640, 480]]"})
    with pytest.raises(UsageError, match="must be fractions"):
        score_files(bad, bad)
