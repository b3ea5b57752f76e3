import pytest

from pancap.scoring.published_lines import read_answers, read_content


def test_a_well_formed_text_is_read_whole():
    content = read_content(
        "1 | entity -->> (whole, red car) \n"
        "2 | entity -->> (part, wheel)\n"
        "3 | location -->> (entity 1, [0.1, 0.2, 0.3, 0.4])\n"
        '4 | attribute -->> (entity 1, "Is entity 1 shiny, too?", "Is entity 1 dull?") \n'
        '5 | relation -->> (entity 2, entity 1, "Is entity 2 part of entity 1?", "Is it not?")\n'
        '6 | global -->> ("Is it day?", "Is it night?")'
    )
    assert content.entities == {"entity 1": "red car", "entity 2": "wheel"}
    assert content.boxes == {"entity 1": (0.1, 0.2, 0.3, 0.4)}
    assert content.attributes[0].text == 'Is entity 1 shiny, too?", "Is entity 1 dull?'
    assert content.relations[0].subjects == ("entity 2", "entity 1")
    assert content.globals[0].text == 'Is it day?", "Is it night?'
    assert [number for number, _ in content.layout] == [None, None, 3]


@pytest.mark.parametrize(
    "line",
    ["2. | entity -->> (whole, cat)", "- 2 | entity -->> (whole, cat)", "2 | Entity -->> (whole, cat)",
     "2 | entity-->>(whole, cat)", "2 | entity  -->> (whole, cat)", "entity -->> (whole, cat)", "2 | entity", ""],
)  # fmt: skip
def test_other_lines_are_skipped(line):
    assert read_content(f"1 | entity -->> (whole, dog)\n{line}").entities == {"entity 1": "dog"}


@pytest.mark.parametrize(
    ("line", "entities"),
    [
        ("  01 | entity -->> (whole, dog)", {"entity 1": "dog"}),
        ("1_0 | entity -->> (whole, tin_can)", {"entity 10": "tin can"}),
        ("-3|entity -->> (whole, dog, brown)", {"entity -3": "brown"}),
        ("1 | entity -->> (whole, )", {"entity 1": ""}),
        ("1 | entity -->> (whole, dog)\r", {"entity 1": "dog)\r"}),
        ("1 | entity -->> (whole, wall (brick))", {"entity 1": "wall (brick"}),
        ("1 | entity -->> (whole, dog) 2 | entity -->> (whole, cat)", {"entity 1": "dog) 2"}),
    ],
)
def test_tags_are_cut_as_published(line, entities):
    assert read_content(line).entities == entities


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        ("entity 1, [[0.1, 0.1, 0.5, 0.5]]", True),
        ("1, 0.1, .1, 0.5, 0.5", True),
        ('entity 1, "[0.1, 0.1, 0.5, 0.5]"', True),
        ("entity 1, [nan, 0, 640, -inf]", True),
        ('entity 1, "[0.1, 0.1, 0.5, 0.5] "', False),
        ("entity 1, (0.1, 0.1, 0.5, 0.5)", False),
        ("entity 1, [0.1, 0.1, 0.5]", False),
        ("entity 7, [0.1, 0.1, 0.5, 0.5]", False),
        ("Entity 1, [0.1, 0.1, 0.5, 0.5]", False),
    ],
)
def test_a_location_that_is_refused_stays_in_the_layout(value, is_taken):
    content = read_content(f"1 | entity -->> (whole, dog)\n2 | location -->> ({value})")
    assert ("entity 1" in content.boxes) == is_taken
    assert len(content.layout) == 2


def test_subjects_are_checked_as_published():
    head = "1 | entity -->> (whole, dog)\n2 | entity -->> (whole, cat)\n"
    content = read_content(
        head
        + '3 | attribute -->> (1, "it is wet")\n4 | attribute -->> (entity 1, "it is wet")\n'
        + '5 | attribute -->> (global, "it is day")\n6 | attribute -->> (scene, "it is day")\n'
        + '7 | relation -->> (entity 1, entity 2, "entity 1 is above it")\n8 | relation -->> (1, 2, "entity 1 is up")\n'
        + '9 | relation -->> (entity 1, entity 2, "it is above entity 2")\n10 | relation -->> (entity 1, "is alone")'
    )
    assert [statement.text for statement in content.attributes] == ["it is wet"]
    assert [statement.text for statement in content.globals] == ["it is day"]
    assert [statement.text for statement in content.relations] == ["entity 1 is above it"]
    assert not read_content('1 | attribute -->> (1, "x")\n2 | entity -->> (whole, dog)\n').attributes


def test_answers_keep_their_fields_whatever_they_say():
    answers = read_answers(
        '2 | attribute -->> (entity 55, "YES", \'no\')\n3 | attribute -->> (1, "Yes", "No")\n'
        '4 | relation -->> (entity 1, entity 2, " Yes " , Yes.)\n5 | global -->> ("Yes")'
    )
    assert answers.attributes == [["YES", "no"]]
    assert answers.relations == [["Yes", "Yes."]]
    assert answers.globals == [["Yes"]]
