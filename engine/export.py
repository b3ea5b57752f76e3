"""A dataset as SA-Pancap JSON and as COCO JSON (the four-stage LLaVA JSON is the chain's)."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from pancap.engine.folder import write_json
from pancap.engine.rows import detections_from_rows


def export_sapancap(rows: pa.Table, path: Path) -> None:
    """`[{"image_path", "gt_response"}]`, the layout of SA-Pancap's caption files."""
    records = rows.select(["uri", "caption"]).to_pylist()
    write_json(path, [{"image_path": row["uri"], "gt_response": row["caption"]} for row in records])


def export_coco(rows: pa.Table, path: Path) -> None:
    """COCO's object-detection layout: pixel boxes (x, y, width, height), with the captions beside them."""
    categories: dict[str, int] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    for image_number, row in enumerate(rows.to_pylist(), start=1):
        width, height = row["width"], row["height"]
        images.append({"id": image_number, "file_name": row["uri"], "width": width, "height": height})
        captions.append({"id": image_number, "image_id": image_number, "caption": row["caption"]})
        for entity in detections_from_rows(row["entities"]):
            x1, y1, x2, y2 = (round(value, 2) for value in entity.box.to_px(width=width, height=height))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_number,
                    "category_id": categories.setdefault(entity.tag, len(categories) + 1),
                    "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "iscrowd": 0,
                    "score": round(entity.score, 4),
                    "source": entity.source,
                }
            )
    listed = [{"id": number, "name": tag} for tag, number in categories.items()]
    write_json(
        path,
        {"images": images, "annotations": annotations, "categories": listed, "captions": captions},
    )
