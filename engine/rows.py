"""The columns of the engine's rows: the one declared schema between engine, chain and scoring."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pancap.caption.arrow import box_from_row, box_to_row, box_type
from pancap.engine.detections import Detection

REGION = pa.struct([("box", box_type()), ("score", pa.float32())])
ENTITY = pa.struct([("tag", pa.string()), ("box", box_type()), ("score", pa.float32()), ("source", pa.string())])
AGREEMENT = pa.struct([(name, pa.float32()) for name in ("tag", "att", "rel", "glo", "overall")])

ROW_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("entities", pa.list_(ENTITY)),
        ("caption", pa.string()),
        ("verify_caption", pa.string()),
        ("agreement", AGREEMENT),
        ("split", pa.string()),
        ("provenance", pa.string()),
        ("error", pa.string()),
    ]
)
"""Rows of `dataset.parquet`; `image_id` is the sha256 of the file's bytes, boxes are fractions."""

KEPT_ROW_SCHEMA = ROW_SCHEMA.append(pa.field("drop_reason", pa.string()))
"""Rows of `dropped.parquet` and of the run's own `rows/`: why curation dropped the image, null where it did not."""

WORK_COLUMNS = pa.schema(
    [("rgb", pa.binary()), ("regions", pa.list_(REGION)), ("tagged", pa.list_(ENTITY)), ("grounded", pa.list_(ENTITY))]
)
"""What stages hand each other and nobody keeps."""


def column_type(name: str) -> pa.DataType:
    """The declared type of a column.

    Raises:
        KeyError: no schema declares it.
    """
    for schema in (KEPT_ROW_SCHEMA, WORK_COLUMNS):
        if name in schema.names:
            return schema.field(name).type
    raise KeyError(name)


def with_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns of a schema, in its order; a missing column becomes null."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def detections_to_rows(detections: Iterable[Detection]) -> list[dict[str, Any]]:
    """Entities as plain values of type `ENTITY`."""
    return [
        {"tag": item.tag, "box": box_to_row(item.box), "score": item.score, "source": item.source}
        for item in detections
    ]


def detections_from_rows(rows: Sequence[Mapping[str, Any]] | None) -> list[Detection]:
    """Entities of such values; those without a box are left out."""
    return [
        Detection(tag=row["tag"], box=box, score=row["score"], source=row["source"])
        for row in rows or ()
        if (box := box_from_row(row["box"])) is not None
    ]
