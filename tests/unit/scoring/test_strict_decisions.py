"""What `strict` decides where the published scripts go wrong, as listed in docs/SCORING.md; matching has its own file."""

import pytest

from pancap.scoring import ScoreConfig, score_captions, score_pair
from pancap.scoring.encoder import NoEncoder
from pancap.scoring.judges.rule import RuleJudge
from pancap.scoring.replay import replay

DOG = "1 | entity -->> (whole, dog)\n"
CAT = "2 | entity -->> (whole, cat)\n"
BOX = "[0.1, 0.1, 0.5, 0.5]"
ASK = '3 | attribute -->> (entity 1, "Is entity 1 wet?", "Is entity 1 dry?")\n'
SAY = '3 | attribute -->> (entity 1, "entity 1 is wet")\n'


def figures(candidate, reference, recalled="", precise="", rules="strict"):
    texts = ({"a": candidate}, {"a": reference}, {"a": recalled}, {"a": precise})
    return replay(*texts, rules=rules, encoder=NoEncoder()).per_image["a"]


def answer(fields, entity=1):
    return f"9 | attribute -->> (entity {entity}, {fields})\n"


def test_an_empty_tag_counts_as_an_entity_and_matches_nothing():
    empty = "1 | entity -->> (whole, )\n"
    assert figures(empty, DOG, rules="official")["ef1"] == 1.0
    assert figures(empty, DOG)["ef1"] == figures(DOG, empty)["ef1"] == 0.0
    assert figures(DOG + empty.replace("1", "2", 1), DOG)["eprec"] == 0.5


@pytest.mark.parametrize("box", ["[0.1, 0.1, 0.5]", "[0.1, 0.1, 0.5, 0.5, 0.9]", "at the left", f"{BOX}, {BOX}"])
def test_a_location_that_is_not_four_numbers_counts_as_a_wrong_box_and_leaves_the_published_denominators(box):
    reference = DOG + CAT + f"3 | location -->> (entity 1, {BOX})\n"
    candidate = reference + f"4 | location -->> (entity 2, {box})\n"
    assert figures(candidate, reference, rules="official")["lprec"] == 1.0
    assert (figures(candidate, reference)["lprec"], figures(reference, candidate)["lrec"]) == (0.5, 0.5)
    unknown = reference + f"4 | location -->> (entity 7, {box})\n"
    assert figures(unknown, reference)["lprec"] == 1.0


@pytest.mark.parametrize("box", ["[0.5, 0.1, 0.1, 0.5]", "[0, 0, 640, 480]", "[nan, 0.1, 0.5, 0.5]"])
def test_a_box_that_cannot_be_right_counts_as_a_wrong_one(box):
    reference = DOG + f"3 | location -->> (entity 1, {BOX})\n"
    result = figures(DOG + f"3 | location -->> (entity 1, {box})\n", reference)
    assert (result["lrec"], result["lprec"], result["lf1"]) == (0.0, 0.0, 0.0)


def test_boxes_on_one_side_only_are_0_and_on_neither_side_left_out():
    boxed = DOG + f"3 | location -->> (entity 1, {BOX})\n"
    assert figures(boxed, DOG)["lf1"] == figures(DOG, boxed)["lf1"] == 0.0
    assert figures(DOG, DOG)["lf1"] is None


@pytest.mark.parametrize("fields", ['"No", "No"', '"Yes", "Yes"', '"Yes.", "No."', '"Yes"'])
def test_only_yes_and_no_together_are_support(fields):
    assert figures(DOG + SAY, DOG + ASK, answer(fields), answer(fields))["af1"] == 0.0
    right = answer('"YES", no')
    assert figures(DOG + SAY, DOG + ASK, right, right)["af1"] == 1.0


def test_answers_of_a_replay_are_taken_in_order_and_no_more_than_there_are_items():
    alien = answer('"Yes", "No"', entity=55) * 3
    assert figures(DOG + SAY, DOG + ASK, alien, alien)["arec"] == 1.0
    late = answer('"No", "No"') + alien
    assert figures(DOG + SAY, DOG + ASK, late, late)["arec"] == 0.0


def test_items_of_invented_entities_lower_precision():
    invented = SAY + '4 | attribute -->> (entity 2, "entity 2 is red")\n'
    result = figures(DOG + CAT + invented, DOG + ASK, answer('"Yes", "No"'), answer('"Yes", "No"'))
    assert (result["arec"], result["aprec"]) == (1.0, 0.5)


def test_items_that_only_one_side_has_are_0():
    assert figures(DOG + SAY, DOG)["af1"] == figures(DOG, DOG + ASK)["af1"] == 0.0
    assert figures(DOG, DOG)["af1"] is None


@pytest.mark.parametrize(
    "box", ["[[0.5, 0.1, 0.1, 0.5]]", "[[10, 20, 300, 400]]", "[[nan, 0.1, 0.5, 0.5]]", "[[0.1, 0.5]]"]
)
def test_a_box_in_a_caption_that_cannot_be_right_is_none(box):
    content = RuleJudge().extract(f"A dog {box} runs.")
    assert [(entity.tag, entity.box) for entity in content.entities] == [("dog", None)]


def test_a_bad_box_is_counted_and_named_in_the_result():
    captions = {"1": "A dog [[nan, 0.1, 0.5, 0.5]] runs.", "2": "A cat [[0.5, 0.1, 0.1, 0.5]] sleeps."}
    references = {image: f"A dog [{BOX}] runs." for image in captions}
    report = score_captions(captions, references, ScoreConfig(encoder="none", bootstrap=0))
    assert report.bad_boxes == (
        "not_finite: [[nan, 0.1, 0.5, 0.5]] in the candidate of 1",
        "not_ordered: [[0.5, 0.1, 0.1, 0.5]] in the candidate of 2",
    )
    assert "note: 2 bad boxes count as none, the first: not_finite: [[nan" in report.render()


def test_a_repeated_statement_is_one_item():
    content = RuleJudge().extract("A red car stands there. The car is red. The red car is beside a tree.")
    assert [item.text for item in content.attributes].count("is red") == 1


def test_line_ends_do_not_matter():
    lines = ["A dog [[0.1, 0.1, 0.5, 0.5]] runs.", "A cat [[0.5, 0.5, 0.9, 0.9]] sits."]
    score = score_pair("\r\n".join(lines), "\n".join(lines), encoder="none")
    assert (score.tag.f1, score.loc.f1) == (1.0, 1.0)


def test_boxes_of_one_caption_only_are_0_and_of_neither_left_out():
    boxed, bare = "A dog [[0.1, 0.1, 0.5, 0.5]] runs.", "A dog runs."
    assert score_pair(boxed, bare, encoder="none").loc.f1 == score_pair(bare, boxed, encoder="none").loc.f1 == 0.0
    assert score_pair(bare, bare, encoder="none").loc is None
