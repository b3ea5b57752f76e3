from hypothesis import given
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec, Instance

UNIT = st.integers(0, 1000)
CODECS = st.builds(
    BoxCodec,
    coordinates=st.sampled_from(["tokens", "text"]),
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
)
SPANS = st.lists(UNIT, min_size=2, max_size=2, unique=True).map(sorted)
BOXES = st.builds(lambda x, y: (x[0], y[0], x[1], y[1]), SPANS, SPANS)
PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["<box>", "</box>", "<c5>", "<c1000>", "<c1001>", "[[1, 2, 3, 4]]", " cat", ", ", "None"]),
    BOXES.map(lambda units: "<box>" + "".join(f"<c{unit}>" for unit in units)),
)


@given(codec=CODECS, pieces=st.lists(PIECES, max_size=12))
def test_reading_model_text_never_raises_and_leaves_no_markup_of_ours(codec, pieces):
    """R26."""
    text = "".join(pieces)
    codec.parse_boxes(text)
    for instance in codec.parse_instances(text):
        assert instance.tag
    codec.to_model(text)
    codec.from_model(text)


@given(codec=CODECS, boxes=st.lists(BOXES, max_size=6))
def test_lists_of_instances_read_back_as_written(codec, boxes):
    instances = tuple(
        dict.fromkeys(
            Instance(tag=f"tag {'abc'[index % 3]}", box=Box(*(unit / 1000 for unit in units)))
            for index, units in enumerate(boxes)
        )
    )
    parsed = codec.parse_instances(codec.render_instances(instances))
    written = [(instance.tag, codec.to_units(instance.box)) for instance in instances]
    read = [(instance.tag, codec.to_units(instance.box)) for instance in parsed]
    assert read == list(dict.fromkeys(written))[: len(read)]
    if codec.width == codec.height:
        assert len(read) == len(dict.fromkeys(written))
