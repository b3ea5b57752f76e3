"""Whatever the content, the caption states all of it, once."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.engine.captioners.phrases import render_box
from pancap.engine.captioners.writer import write_caption

TAGS = st.sampled_from(["car", "tree", "man", "sky", "grass", "door", "clouds", "traffic light", "umbrella", "bus"])
ADJECTIVES = ["red", "dark blue", "large", "striped", "wooden", "open", "round", "lit"]
POSITIONS = ["is to the left of", "is behind", "is on top of", "is part of", "holds", "walks toward"]
GLOBALS = [
    "the scene is outdoors", "the scene is indoors", "the scene is at night", "the weather is rainy",
    "the lighting is dim", "the viewpoint is at eye level", "the mood is calm",
]  # fmt: skip


@st.composite
def contents(draw):
    """Contents whose free predicates carry a word of their own, so that each can be looked for in the text."""
    count = draw(st.integers(0, 9))
    entities = tuple(
        Entity(
            id=i + 1,
            tag=draw(TAGS),
            kind=draw(st.sampled_from(["whole", "part"])),
            box=draw(st.sampled_from([None, Box(i / 10, 0.1 + i / 100, i / 10 + 0.05, 0.9)])),
        )
        for i in range(count)
    )
    attributes, relations = [], []
    for i in range(draw(st.integers(0, 12)) if count else 0):
        text = draw(st.sampled_from([*[f"is {word}" for word in ADJECTIVES], f"has mark{i}x", f"is marked{i}x"]))
        attributes.append(Attribute(entity_id=draw(st.integers(1, count)), text=text))
    for i in range(draw(st.integers(0, 8)) if count > 1 else 0):
        ends = draw(st.lists(st.integers(1, count), min_size=2, max_size=2, unique=True))
        text = draw(st.sampled_from([*POSITIONS, f"meets tie{i}x"]))
        relations.append(Relation(subject_id=ends[0], object_id=ends[1], text=text))
    items = draw(st.lists(st.sampled_from(GLOBALS), unique=True, max_size=5))
    return CaptionContent(
        entities=entities, attributes=tuple(attributes), relations=tuple(relations), globals=tuple(items)
    )


@settings(max_examples=80)
@given(content=contents(), seed=st.integers(0, 2**31), style=st.sampled_from(["prose", "plain"]))
def test_everything_is_stated(content, seed, style):
    text = write_caption(content, seed=seed, style=style)
    lower = text.lower()
    for entity in content.entities:
        assert entity.tag in lower
        if entity.box:
            assert text.count(render_box(entity.box)) == 1
    for attribute in content.attributes:
        assert attribute.text.split()[-1] in lower
    for relation in content.relations:
        word = relation.text.split()[-1].rstrip("s")
        assert word in lower or (relation.text == "is part of" and re.search(r"\b(has|have)\b", lower))
    for item in content.globals:
        assert item.split()[-1].removesuffix("s") in text
    assert text[0].isupper() and text.endswith(".")


@settings(max_examples=80)
@given(
    tag=st.text(max_size=12), attribute=st.text(max_size=12), relation=st.text(max_size=12), item=st.text(max_size=12)
)
def test_no_string_stops_the_writer(tag, attribute, relation, item):
    content = CaptionContent(
        entities=(Entity(id=1, tag=tag), Entity(id=2, tag="car", box=Box(0, 0, 1, 1))),
        attributes=(Attribute(entity_id=1, text=attribute),),
        relations=(Relation(subject_id=1, object_id=2, text=relation),),
        globals=(item,),
    )
    for style in ("prose", "plain"):
        assert "[[0.000, 0.000, 1.000, 1.000]]" in write_caption(content, seed=1, style=style)
