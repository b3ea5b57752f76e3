"""Scenes as rows of the engine's schema, with the exact content besides."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from pancap.caption.arrow import box_to_row, content_to_row, content_type
from pancap.engine.rows import ROW_SCHEMA, with_schema
from pancap.engine.scenes.scene import SCENES_VERSION, Scene, render_scene

SCENES_SCHEMA = ROW_SCHEMA.append(pa.field("content", content_type())).append(pa.field("mask", pa.binary()))
"""Rows of `scenes.parquet`: the engine's columns and the ground truth. `mask` is a grey PNG of the image's size: each
pixel holds 1 + the place of its entity in `entities`, or 0."""

IMAGES_FOLDER = "images"
# zlib level: 2 writes a scene in 4 ms and 98 kB, 6 in 14 ms and 91 kB.
_PNG_LEVEL = 2


def draw_rows(indices: list[int], *, root: Path, seed: int, size_px: int, split: str) -> pa.Table:
    """Draws scenes, writes their images and gives their rows, in the order asked.

    Args:
        indices: numbers of the scenes.
        root: folder that holds images/.
        seed: of the run.
        size_px: side of the images.
        split: value of the column.
    """
    rows = []
    for index in indices:
        scene = render_scene((seed, index), size_px=size_px)
        data = encode_png(scene)
        uri = f"{IMAGES_FOLDER}/{index:06d}.png"
        _write_bytes(root / uri, data)
        made = {"scenes": SCENES_VERSION, "seed": [seed, index], "place": scene.place}
        rows.append(_to_row(scene, data, uri=uri, split=split, provenance=json.dumps(made)))
    return with_schema(pa.Table.from_pylist(rows, schema=SCENES_SCHEMA), SCENES_SCHEMA)


def encode_png(scene: Scene) -> bytes:
    """The image as PNG bytes."""
    return _png(scene.image)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _places(scene: Scene) -> np.ndarray:
    """The scene's mask with places in the list of entities instead of their ids."""
    places = np.zeros(256, np.uint8)
    for place, entity in enumerate(scene.content.entities, start=1):
        places[entity.id] = place
    return places[scene.mask]


def _to_row(scene: Scene, data: bytes, *, uri: str, split: str, provenance: str) -> dict[str, Any]:
    height, width = scene.image.shape[:2]
    return {
        "image_id": hashlib.sha256(data).hexdigest(),
        "uri": uri,
        "width": width,
        "height": height,
        "entities": [
            {"tag": entity.tag, "box": box_to_row(entity.box), "score": 1.0, "source": "scenes"}
            for entity in scene.content.entities
        ],
        "caption": scene.caption,
        "verify_caption": None,
        "agreement": None,
        "split": split,
        "provenance": provenance,
        "error": None,
        "content": content_to_row(scene.content),
        "mask": _png(_places(scene)),
    }


def _write_bytes(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
