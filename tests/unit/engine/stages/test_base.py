from typing import ClassVar

import pyarrow as pa
import pytest

from pancap.engine.stages.base import RowFailure, Stage, check_stages


class Widths(Stage):
    """Fails for image c, refuses image d."""

    name: ClassVar = "widths"
    inputs: ClassVar = ("image_id",)
    outputs: ClassVar = ("width",)

    def process_rows(self, rows):
        results = []
        for row in rows:
            if row["image_id"] == "c":
                raise ValueError("too odd\nsecond line")
            if row["image_id"] == "d":
                results.append(RowFailure(reason="refused", message="not this one"))
            else:
                results.append({"width": ord(row["image_id"])})
        return results


class NeedsMemory(Widths):
    recoverable: ClassVar = (ValueError,)

    def process_rows(self, rows):
        raise MemoryError


def batch(ids, errors=None):
    return pa.table(
        {"image_id": pa.array(ids, pa.string()), "error": pa.array(errors or [None] * len(ids), pa.string())}
    )


def test_a_bad_row_costs_only_itself_and_keeps_its_reason():
    table = Widths().process_batch(batch(["a", "c", "b", "d"]))
    assert table["image_id"].to_pylist() == ["a", "c", "b", "d"]
    assert table["width"].to_pylist() == [97, None, 98, None]
    assert table["error"].to_pylist() == [None, "widths/ValueError: too odd", None, "widths/refused: not this one"]


def test_rows_that_failed_before_are_passed_on_untouched():
    table = Widths().process_batch(batch(["a", "c"], [None, "load/empty: 0 bytes"]))
    assert table["error"].to_pylist() == [None, "load/empty: 0 bytes"]


@pytest.mark.parametrize("ids", [[], ["c"], ["d", "d"]])
def test_columns_have_their_declared_types_even_without_a_value(ids):
    table = Widths().process_batch(batch(ids))
    assert table.schema.field("width").type == pa.int32()
    assert table.schema.field("error").type == pa.string()


def test_what_is_not_recoverable_ends_the_run():
    with pytest.raises(MemoryError):
        NeedsMemory().process_batch(batch(["a"]))


def test_a_stage_without_its_columns_is_refused_before_the_run():
    check_stages([Widths], columns=("image_id", "error"))
    with pytest.raises(ValueError, match="stage widths reads"):
        check_stages([Widths], columns=("uri",))
