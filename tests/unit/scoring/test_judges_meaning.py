"""Which statements support which others."""

import pytest

from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.scoring.judges.rule import RuleJudge

JUDGE = RuleJudge()
SAME = {1: 1, 2: 2}


def content(*, attribute=None, relation=None, swapped=False, clause=None):
    """Two entities with at most one attribute, relation and global item."""
    ends = (2, 1) if swapped else (1, 2)
    return CaptionContent(
        entities=(Entity(id=1, tag="thing"), Entity(id=2, tag="object")),
        attributes=(Attribute(entity_id=1, text=attribute),) if attribute else (),
        relations=(Relation(subject_id=ends[0], object_id=ends[1], text=relation),) if relation else (),
        globals=(clause,) if clause else (),
    )


@pytest.mark.parametrize(
    ("item", "said", "expected"),
    [
        ("is red", "is red", True),
        ("is grey", "is dark gray", True),
        ("is dark blue", "is blue", True),
        ("is dark blue", "is light blue", False),
        ("is red", "is blue", False),
        ("is red", "is not red", False),
        ("is not red", "is not red", True),
        ("is open", "is closed", False),
        ("is small", "is tiny", True),
        ("is small", "is large", False),
        ("is striped", "has a striped pattern", True),
        ("is made of wood", "is wooden", True),
        ("is made of wood", "is made of metal", False),
        ("is on the left side of the image", "is on the right side of the image", False),
        ("is in the foreground", "is in the background", False),
        ('shows the text "CAFE"', 'has the word "cafe"', True),
        ('shows the text "CAFE"', 'shows the text "BANK"', False),
        ("is standing", "is sitting", False),
        ("is lit", "is illuminated", True),
        ("is wet", "is dry", False),
    ],
)
def test_attribute_support(item, said, expected):
    answer = JUDGE.supported(content(attribute=item), content(attribute=said), SAME)
    assert answer.attributes == (expected,)


@pytest.mark.parametrize(
    ("item", "said", "swapped", "expected"),
    [
        ("is to the left of", "is to the left of", False, True),
        ("is to the left of", "is to the right of", True, True),
        ("is to the left of", "is to the left of", True, False),
        ("is to the left of", "is to the right of", False, False),
        ("is above", "is below", True, True),
        ("is on", "is on top of", False, True),
        ("is above", "is on", False, True),
        ("is in front of", "is behind", True, True),
        ("is in front of", "is behind", False, False),
        ("is next to", "is beside", True, True),
        ("is part of", "has", True, True),
        ("is part of", "has", False, False),
        ("holds", "is held by", True, True),
        ("holds", "carries", False, True),
        ("holds", "holds", True, False),
        ("rides", "wears", False, False),
        ("stands on", "is on", False, True),
        ("is larger than", "is smaller than", True, True),
        ("is on", "is not on", False, False),
        ("is covered with", "covers", True, True),
    ],
)
def test_relation_support(item, said, swapped, expected):
    answer = JUDGE.supported(content(relation=item), content(relation=said, swapped=swapped), SAME)
    assert answer.relations == (expected,)


@pytest.mark.parametrize(
    ("item", "said", "expected"),
    [
        ("the lighting is soft", "the lighting is diffused", True),
        ("the lighting is dim", "the lighting is bright", False),
        ("the scene is at night", "the scene is in the daytime", False),
        ("the scene is outdoors", "the image shows an outdoor scene", True),
        ("the scene is outdoors", "the scene is indoors", False),
        ("the weather is rainy", "it is raining", True),
        ("the mood is peaceful", "the atmosphere is serene", True),
        ("the mood is calm", "the mood is gloomy", False),
    ],
)
def test_global_support(item, said, expected):
    assert JUDGE.supported(content(clause=item), content(clause=said), SAME).globals == (expected,)


def test_an_item_of_an_unmatched_entity_is_not_supported():
    both = content(attribute="is red", relation="is on")
    answer = JUDGE.supported(both, both, {2: 2})
    assert answer.attributes == (False,)
    assert answer.relations == (False,)


def test_ids_are_taken_through_the_mapping():
    mine = content(attribute="is red", relation="is on")
    other = CaptionContent(
        entities=(Entity(id=7, tag="thing"), Entity(id=9, tag="object")),
        attributes=(Attribute(entity_id=9, text="is red"),),
        relations=(Relation(subject_id=9, object_id=7, text="is on"),),
    )
    straight, crossed = (JUDGE.supported(mine, other, ids) for ids in ({1: 9, 2: 7}, {1: 7, 2: 9}))
    assert straight.attributes == straight.relations == (True,)
    assert crossed.attributes == crossed.relations == (False,)


def test_a_described_part_supports_the_attribute_of_its_whole():
    mine = content(attribute="has a flat roof")
    other = CaptionContent(
        entities=(Entity(id=1, tag="house"), Entity(id=2, tag="roof", kind="part")),
        attributes=(Attribute(entity_id=2, text="is flat"),),
        relations=(Relation(subject_id=2, object_id=1, text="is part of"),),
    )
    assert JUDGE.supported(mine, other, {1: 1}).attributes == (True,)
