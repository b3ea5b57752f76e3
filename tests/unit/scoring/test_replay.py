import json

import pytest

from pancap.configs.errors import UsageError
from pancap.scoring.encoder import NoEncoder
from pancap.scoring.published_lines import read_content
from pancap.scoring.replay import map_questions, match_contents, replay
from pancap.scoring.replay_files import match_files, read_texts, replay_files

DOG = "1 | entity -->> (whole, dog)\n"
ASK = '2 | attribute -->> (entity 1, "Is entity 1 wet?", "Is entity 1 dry?")\n' * 2
SAY = '2 | attribute -->> (entity 1, "entity 1 is wet")\n' * 2
YES, NO = ('2 | attribute -->> (entity 1, "Yes", "No")\n', '2 | attribute -->> (entity 1, "No", "No")\n')


def figures(candidate=DOG + SAY, reference=DOG + ASK, recalled=YES * 2, precise=YES * 2, rules="official"):
    texts = ({"a": candidate}, {"a": reference}, {"a": recalled}, {"a": precise})
    return replay(*texts, rules=rules, encoder=NoEncoder()).per_image["a"]


def test_answers_beyond_the_questions_raise_the_published_recall_over_1_and_strict_not():
    extra = {"recalled": YES * 7, "precise": YES * 7}
    assert figures(**extra)["arec"] == 1.5
    assert figures(**extra)["aprec"] == pytest.approx(3 / 7)
    assert figures(**extra, rules="strict")["arec"] == figures(**extra, rules="strict")["aprec"] == 1.0


def test_half_an_answer_is_worth_half_a_point_as_published_and_nothing_in_strict():
    assert figures(recalled=NO * 2)["arec"] == 0.5
    assert figures(recalled=NO * 2, rules="strict")["arec"] == 0.0


def test_few_answers_do_not_lower_the_published_precision_but_the_strict_one():
    assert figures(precise=YES)["aprec"] == 1.0
    assert figures(precise=YES, rules="strict")["aprec"] == 0.5


def test_a_dimension_that_neither_side_has_is_0_as_published_and_absent_in_strict():
    bare = {"candidate": DOG, "reference": DOG, "recalled": "", "precise": ""}
    assert (figures(**bare)["lf1"], figures(**bare)["overall"]) == (0.0, 1.0)
    assert figures(**bare, rules="strict")["lf1"] is None


def test_a_candidate_without_entities_scores_0():
    assert figures(candidate="I cannot see it.", recalled="", precise="")["overall"] == 0.0


def test_a_box_that_is_none_counts_as_wrong_in_strict():
    box = "3 | location -->> (entity 1, [0, 0, 640, 480])\n"
    result = figures(candidate=DOG + box, reference=DOG + box, recalled="", precise="", rules="strict")
    assert (result["lrec"], result["lprec"], result["ef1"]) == (0.0, 0.0, 1.0)


def test_mapped_questions_keep_the_published_slips():
    reference = read_content(
        "1 | entity -->> (whole, dog)\n2 | entity -->> (whole, spoon)\n"
        '3 | relation -->> (entity 1, entity 2, "Is entity 1 above entity 2?", "Is entity 1 below entity 2?")'
    )
    candidate = read_content(
        "1 | entity -->> (whole, spoon)\n2 | location -->> (entity 1, [0.2, 0.2, 0.3, 0.3]) \n"
        "2 | entity -->> (whole, dog) \n5 | location -->> (entity 2, [0.5, 0.5, 0.6, 0.6])"
    )
    mapping, _ = match_contents(candidate, reference, rules="official", encoder=NoEncoder())
    assert mapping == {"entity 1": "entity 2", "entity 2": "entity 1"}
    assert map_questions(candidate, reference, mapping) == (
        "1 | entity -->> (whole, spoon)\n2 | location -->> (entity 1, [0.2, 0.2, 0.3, 0.3]) 2 | entity -->> (whole, dog) \n"
        "4 | location -->> (entity 2, [0.4, 0.4, 0.6, 0.6])\n"
        '4 | relation -->> (entity 2, entity 1, "Is entity 1 above entity 1?", "Is entity 1 below entity 1?") \n'
    )


def write(path, key, text, image="x/a/b/c.jpg"):
    path.write_text(json.dumps([{"image_path": image, key: text}]))
    return path


def inputs(tmp_path, recalled=YES * 2):
    return {
        "candidate_content": write(tmp_path / "c.json", "all_content", DOG + SAY, image="a/b/c.jpg"),
        "reference_questions": write(tmp_path / "r.json", "questions", DOG + ASK),
        "candidate_answers": write(tmp_path / "ca.json", "answers", recalled),
        "reference_answers": write(tmp_path / "ra.json", "answers", YES * 2),
    }


def test_files_are_scored_by_the_last_three_parts_of_their_paths(tmp_path):
    result = replay_files(**inputs(tmp_path), rules="official", encoder="none").to_dict()
    assert result["averages"]["overall"] == 2.0
    assert json.loads(json.dumps(result, allow_nan=False))["entity_map"]["a/b/c.jpg"] == {"entity 1": "entity 1"}


def test_what_the_published_scripts_crash_on_is_one_sentence(tmp_path):
    files = inputs(tmp_path, recalled='2 | attribute -->> (entity 1, "Yes")\n')
    with pytest.raises(UsageError, match=r"two fields .* got 1 of image a/b/c.jpg; score with rules=strict"):
        replay_files(**files, rules="official", encoder="none")
    assert replay_files(**files, rules="strict", encoder="none").averages["arec"] == 0.0
    write(files["candidate_content"], "all_content", DOG, image="d/e/f.jpg")
    with pytest.raises(UsageError, match=r"lacks 1 images of the references \(a/b/c.jpg\)"):
        replay_files(**files, encoder="none")
    with pytest.raises(UsageError, match="make it before"):
        match_files(
            candidate_content=files["candidate_content"],
            reference_questions=files["reference_questions"],
            out=tmp_path / "no" / "x.json",
        )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[", "not valid JSON"),
        (b"{}", "must be a list of records"),
        (b"[]", "has no records"),
        (b'[{"image_path": null, "answers": "x"}]', "record 0 of .* must have texts"),
        (b'[{"image_path": "a", "answers": null}]', "record 0 of .* must have texts"),
        (b"\xff", "must be UTF-8"),
    ],
)
def test_a_bad_file_gives_one_sentence(tmp_path, data, message):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_texts(tmp_path / "x.json")
