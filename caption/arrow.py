"""`CaptionContent` and boxes as Arrow rows.

A box is a list of four float32 fractions, or null; reading rounds to six decimals, so that three-decimal fractions
come back as they were.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation

if TYPE_CHECKING:
    import pyarrow as pa

_BOX_DECIMALS = 6


def box_type() -> "pa.DataType":
    """Arrow type of a box: `list<float32>`, null where there is none."""
    import pyarrow as pa

    return pa.list_(pa.float32())


def content_type() -> "pa.DataType":
    """Arrow struct of a `CaptionContent`."""
    import pyarrow as pa

    entity = pa.struct([("id", pa.int32()), ("tag", pa.string()), ("kind", pa.string()), ("box", box_type())])
    attribute = pa.struct([("entity_id", pa.int32()), ("text", pa.string())])
    relation = pa.struct([("subject_id", pa.int32()), ("object_id", pa.int32()), ("text", pa.string())])
    return pa.struct(
        [
            ("entities", pa.list_(entity)),
            ("attributes", pa.list_(attribute)),
            ("relations", pa.list_(relation)),
            ("globals", pa.list_(pa.string())),
        ]
    )


def box_to_row(box: Box | None) -> list[float] | None:
    """A box as a list of four numbers."""
    return None if box is None else list(box.as_tuple())


def box_from_row(row: Sequence[float] | None) -> Box | None:
    """The box of such a list.

    Raises:
        ValueError: the numbers make no box.
    """
    if row is None:
        return None
    if len(row) != 4:
        raise ValueError(f"a box has four numbers, got {len(row)}")
    return Box(*(round(float(value), _BOX_DECIMALS) for value in row))


def content_to_row(content: CaptionContent) -> dict[str, Any]:
    """A row of type `content_type()`, in plain Python values."""
    return {
        "entities": [
            {"id": entity.id, "tag": entity.tag, "kind": entity.kind, "box": box_to_row(entity.box)}
            for entity in content.entities
        ],
        "attributes": [{"entity_id": item.entity_id, "text": item.text} for item in content.attributes],
        "relations": [
            {"subject_id": item.subject_id, "object_id": item.object_id, "text": item.text}
            for item in content.relations
        ],
        "globals": list(content.globals),
    }


def content_from_row(row: Mapping[str, Any]) -> CaptionContent:
    """The content of such a row.

    Raises:
        ValueError: an id is unknown or doubled, or a box is none.
    """
    return CaptionContent(
        entities=tuple(
            Entity(id=item["id"], tag=item["tag"], kind=item["kind"], box=box_from_row(item["box"]))
            for item in row["entities"]
        ),
        attributes=tuple(Attribute(entity_id=item["entity_id"], text=item["text"]) for item in row["attributes"]),
        relations=tuple(
            Relation(subject_id=item["subject_id"], object_id=item["object_id"], text=item["text"])
            for item in row["relations"]
        ),
        globals=tuple(row["globals"]),
    )
