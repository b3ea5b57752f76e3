import pyarrow as pa
import pytest

from pancap.caption import Attribute, Box, CaptionContent, Entity, Relation
from pancap.caption.arrow import box_from_row, box_type, content_from_row, content_to_row, content_type

CONTENT = CaptionContent(
    entities=(Entity(id=1, tag="cat", box=Box(0.004, 0.322, 0.454, 0.927)), Entity(id=7, tag="ear", kind="part")),
    attributes=(Attribute(entity_id=1, text="is red"),),
    relations=(Relation(subject_id=7, object_id=1, text="is part of"),),
    globals=("the weather is rainy",),
)


@pytest.mark.parametrize("content", [CONTENT, CaptionContent()])
def test_content_comes_back_from_arrow_as_it_went_in(content):
    array = pa.array([content_to_row(content)], type=content_type())
    assert content_from_row(array.to_pylist()[0]) == content


def test_content_survives_a_parquet_file(tmp_path):
    import pyarrow.parquet as pq

    table = pa.table({"content": pa.array([content_to_row(CONTENT), None], type=content_type())})
    pq.write_table(table, tmp_path / "x.parquet")
    rows = pq.read_table(tmp_path / "x.parquet").column("content").to_pylist()
    assert content_from_row(rows[0]) == CONTENT
    assert rows[1] is None


def test_a_null_box_is_no_box():
    assert pa.array([None, [0.0, 0.0, 1.0, 1.0]], type=box_type()).to_pylist()[0] is None
    assert box_from_row(None) is None


@pytest.mark.parametrize("row", [[0.0, 0.0, 1.0], [0.5, 0.0, 0.5, 1.0]])
def test_numbers_that_make_no_box_are_an_error(row):
    with pytest.raises(ValueError, match="box"):
        box_from_row(row)
