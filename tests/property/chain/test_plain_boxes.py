"""Free text of models: readers never raise, and what is written is read back."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.chain.plain_boxes import Frame, PlainCodec

codecs = st.builds(
    PlainCodec, frame=st.sampled_from(get_args(Frame)), width=st.integers(1, 5000), height=st.integers(1, 5000)
)
brackets = st.text(alphabet="[]()<>box/,.0123456789eE+- \nnaif", max_size=80)


@given(codecs, st.text(max_size=80) | brackets)
def test_reading_never_raises_and_gives_boxes_inside_the_image(codec, text):
    """R26."""
    for box in (*codec.parse_boxes(text), *(item.box for item in codec.parse_instances(text))):
        assert 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1
    codec.dropped(text)
    codec.from_model(text)


@given(
    codecs.filter(lambda codec: min(codec.width, codec.height) >= 20),
    st.tuples(*[st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.1, 1), st.floats(0.1, 1)]),
)
def test_a_box_survives_the_journey_within_a_unit(codec, numbers):
    x1, y1, width, height = numbers
    box = Box(x1, y1, min(1.0, x1 + width), min(1.0, y1 + height))
    (read,) = codec.parse_boxes(codec.render_box(box))
    unit = 1 / min(1000, codec.width, codec.height) if codec.frame == "pixels" else 1 / 1000
    assert all(abs(a - b) <= unit for a, b in zip(read.as_tuple(), box.as_tuple(), strict=True))
