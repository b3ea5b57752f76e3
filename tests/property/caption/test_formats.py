"""Round trips of the text formats, and R26: no string makes a parser raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.caption.formats import asmv2, boxtoken, sapancap

SIZE = {"width": 640, "height": 480}
SQUARE = {"width": 256, "height": 256}
FORMATS = {"sapancap": (sapancap, {}), "asmv2": (asmv2, SQUARE), "boxtoken": (boxtoken, {})}


def spans():
    return st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True).map(sorted)


boxes = st.builds(lambda x, y: Box.from_units((x[0], y[0], x[1], y[1])), spans(), spans())
texts = st.text(st.characters(exclude_characters="[]<>", exclude_categories=["Cs"]), min_size=1, max_size=20)
tags = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,2}", fullmatch=True).filter(lambda tag: tag != "none")
NOISE = ["[[", "]]", "]", ", ", "<box>", "</box>", "<c12>", "<c1000>", "<c99999>"]
NOISE += ["0.5", "7", "nan", "-inf", "1e400", "cat", "\n"]
noise = st.sampled_from(NOISE)


def merged(segments):
    """Adjacent texts joined, as a parser gives them."""
    result = []
    for segment in segments:
        if isinstance(segment, str) and result and isinstance(result[-1], str):
            result[-1] += segment
        else:
            result.append(segment)
    return tuple(result)


@pytest.mark.parametrize("name", FORMATS)
@given(segments=st.lists(texts | boxes, max_size=8))
def test_parsing_what_was_rendered_gives_it_back(name, segments):
    module, size = FORMATS[name]
    parsed = module.parse(module.render(segments, **size), **size)
    assert parsed.segments == merged(segments)
    assert parsed.dropped == ()


@pytest.mark.parametrize("name", FORMATS)
@given(instances=st.lists(st.tuples(tags, st.none() | boxes), max_size=6, unique=True))
def test_instance_lists_round_trip(name, instances):
    module, size = FORMATS[name]
    parsed = module.parse_instances(module.render_instances(instances, **size), **size)
    assert parsed.instances == tuple(instances)
    assert parsed.dropped == ()


@pytest.mark.parametrize("name", FORMATS)
@given(items=st.lists(boxes, max_size=6, unique=True))
def test_box_lists_round_trip(name, items):
    module, size = FORMATS[name]
    assert module.parse_boxes(module.render_boxes(items, **size), **size).boxes == tuple(items)


@pytest.mark.parametrize("name", FORMATS)
@given(text=st.text() | st.lists(noise | st.text(max_size=3), max_size=40).map("".join))
def test_no_string_makes_a_parser_raise(name, text):
    module, size = FORMATS[name]
    size = SIZE if size else {}
    for parse in (module.parse, module.parse_instances, module.parse_boxes):
        parse(text, **size)
    assert all(isinstance(segment, str | Box) for segment in module.parse(text, **size).segments)


@pytest.mark.parametrize("name", FORMATS)
@given(segments=st.lists(texts | boxes, min_size=1, max_size=5), cut=st.integers(0, 200), put=noise)
def test_damaged_text_still_reads(name, segments, cut, put):
    module, size = FORMATS[name]
    text = module.render(segments, **size)
    cut = cut % (len(text) + 1)
    for damaged in (text[:cut], text[cut:], text[:cut] + put + text[cut:]):
        num_boxes = len(module.parse(damaged, **size).boxes)
        assert num_boxes <= sum(isinstance(segment, Box) for segment in segments) + 1
        module.parse_instances(damaged, **size)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "piece", ["[[", "<box>", "<box>[[1, ", "[[1],", "<box><c1><c2><c3><c4>", "<c1>", "[[0.1, 0.2], "]
)
def test_endless_repeats_are_read_in_linear_time(name, piece):
    module, size = FORMATS[name]
    text = piece * (200_000 // len(piece))
    module.parse(text, **size)
    assert not any(box for _, box in module.parse_instances(text, **size).instances)
