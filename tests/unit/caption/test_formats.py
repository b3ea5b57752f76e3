import json

import pytest

from pancap.caption.boxes import Box
from pancap.caption.formats import asmv2, boxtoken, sapancap

CAT = Box(0.1, 0.2, 0.3, 0.4)
DOG = Box(0.5, 0.5, 0.9, 1.0)


def test_sapancap_text_reads_as_text_and_boxes():
    parsed = sapancap.parse("A cat [[0.1, 0.200, 0.3, 0.4]] and dogs [[0.5,0.5,0.9,1], [0.100, 0.200, 0.300, 0.400]].")
    assert parsed.segments == ("A cat ", CAT, " and dogs ", DOG, CAT, ".")
    assert parsed.boxes == (CAT, DOG, CAT)
    assert parsed.dropped == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[0.1, 0.2, 0.3]]", "wrong_count"),
        ("[[0.43, 0.17], [0.84, 0.53]]", "wrong_count"),
        ("[[0.1, 0.2, 0.3, 1.4]]", "out_of_range"),
        ("[[100, 200, 300, 400]]", "out_of_range"),
        ("[[0.3, 0.2, 0.1, 0.4]]", "not_ordered"),
        ("[[0.1, 0.2, 0.1, 0.4]]", "not_ordered"),
        ("[[nan, 0.2, 0.3, 0.4]]", "not_finite"),
        ("[[0.1, 0.2, 1e999, 0.4]]", "not_finite"),
        ("[[0.1, 0.2, x3, 0.4]]", "not_a_number"),
        ("[[0.1, 0.2, 0.3, 0.4", "unclosed"),
        ("[[0.1, 0.2, 0.3, 0.4]", "unclosed"),
    ],
)
def test_a_malformed_box_is_dropped_with_its_reason(text, reason):
    parsed = sapancap.parse(f"a {text}")
    assert [item.reason for item in parsed.dropped][:1] == [reason]
    assert parsed.segments == ("a ",)


def test_one_bad_box_of_a_group_does_not_cost_the_good_one():
    parsed = sapancap.parse("two [[0.1, 0.2, 0.3, 0.4], [0.9, 0.2, 0.3, 0.4]] cats")
    assert parsed.segments == ("two ", CAT, " cats")
    assert len(parsed.dropped) == 1


def test_brackets_without_numbers_are_text():
    assert sapancap.parse("see [[note]] and [[").segments == ("see [[note]] and [[",)


def test_a_box_thinner_than_a_thousandth_is_written_one_thousandth_wide():
    assert sapancap.render_box(Box(0.5001, 0.0, 0.5002, 1.0)) == "[[0.500, 0.000, 0.501, 1.000]]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<box>[[4, 322, 454", "unclosed"),
        ("<box>[[4, 322, 454, 927]]", "unclosed"),
        ("<box>", "unclosed"),
        ("<box>[[4, 322, 454, 1927]]</box>", "out_of_range"),
        ("<box>[[4, 1, 454, 100]]</box>", "outside_image"),
        ("</box>", "stray"),
    ],
)
def test_asmv2_reports_what_it_drops(text, reason):
    parsed = asmv2.parse(f"a cat {text}", width=400, height=200)
    assert [item.reason for item in parsed.dropped] == [reason]
    assert parsed.boxes == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<box><c1><c2><c3>", "unclosed"),
        ("<box><c1><c2><c3><c4><c5>", "wrong_count"),
        ("<box><c1><c2><c3><c1001>", "out_of_range"),
        ("<box><c3><c2><c1><c4>", "not_ordered"),
        ("<c1><c2>", "stray"),
    ],
)
def test_boxtoken_reports_what_it_drops(text, reason):
    parsed = boxtoken.parse(f"a cat {text} here")
    assert [item.reason for item in parsed.dropped] == [reason]
    assert parsed.segments == ("a cat  here",)


def test_spaces_between_coordinate_tokens_do_not_matter():
    assert boxtoken.parse_boxes("<box> <c100> <c200> <c300> <c400>").boxes == (CAT,)


def test_instance_lists_read_as_the_chain_writes_them():
    text = "cat <box>[[100, 200, 300, 400]]</box>, traffic light <box>[[500, 500, 900, 1000]]</box>"
    parsed = asmv2.parse_instances(text, width=100, height=100)
    assert parsed.instances == (("cat", CAT), ("traffic light", DOG))
    assert asmv2.render_instances(parsed.instances, width=100, height=100) == text


def test_exact_duplicates_are_dropped_and_reported():
    parsed = sapancap.parse_instances(", ".join([sapancap.render_instances([("cat", CAT)])] * 3 + ["sky"]))
    assert parsed.instances == (("cat", CAT), ("sky", None))
    assert parsed.dropped == ("duplicate: cat", "duplicate: cat")


def test_reading_stops_at_the_first_malformed_instance():
    good, bad = boxtoken.render_instances([("cat", CAT)]), "dog <box><c9><c2>"
    parsed = boxtoken.parse_instances(f"{good}, {bad}, {boxtoken.render_instances([('dog', DOG)])}")
    assert parsed.instances == (("cat", CAT),)
    assert parsed.dropped[0].startswith("unclosed: , dog")


def test_a_box_without_a_tag_is_malformed():
    assert sapancap.parse_instances("[[0.1, 0.2, 0.3, 0.4]]").instances == ()


@pytest.mark.parametrize("text", ["None", "none.", "", " \n"])
def test_nothing_missing_reads_as_no_instances(text):
    assert sapancap.parse_instances(text).instances == ()
    assert sapancap.parse_instances(text).dropped == ()


def test_box_lists_stop_at_other_text():
    text = sapancap.render_boxes([CAT, DOG])
    assert sapancap.parse_boxes(f"{text}, {sapancap.render_box(CAT)}").boxes == (CAT, DOG)
    parsed = sapancap.parse_boxes(f"{sapancap.render_box(CAT)} and {sapancap.render_box(DOG)}")
    assert parsed.boxes == (CAT,)
    assert parsed.dropped[0].startswith("not_a_box")


def test_the_real_captions_keep_nearly_every_box(shared_dir):
    captions = json.loads((shared_dir / "data/sapancap/sapancap_val_gtcaption.json").read_text(encoding="utf-8"))
    parsed = [sapancap.parse(row["gt_response"]) for row in captions]
    num_boxes = sum(len(item.boxes) for item in parsed)
    reasons = {dropped.reason for item in parsed for dropped in item.dropped}
    assert num_boxes > 3400
    assert sum(len(item.dropped) for item in parsed) < 0.02 * num_boxes
    assert reasons <= {"wrong_count", "not_ordered", "out_of_range"}
