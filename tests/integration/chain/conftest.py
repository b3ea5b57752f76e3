"""Scenes to train on."""

import pytest


@pytest.fixture(scope="module")
def scenes_parquet(tmp_path_factory):
    """Eight drawn scenes in the dataset's columns."""
    import hashlib

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    from pancap.engine.scenes.scene import render_scene

    folder = tmp_path_factory.mktemp("scenes")
    rows = []
    for seed in range(8):
        scene = render_scene(seed, size_px=64)
        path = folder / f"{seed}.png"
        Image.fromarray(scene.image).save(path)
        entities = [
            {"tag": entity.tag, "box": list(entity.box.as_tuple())}
            for entity in scene.content.entities
            if entity.box is not None
        ]
        image_id = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(
            {"image_id": image_id, "uri": path.name, "width": 64, "height": 64, "entities": entities}
            | {"caption": scene.caption}
        )
    pq.write_table(pa.Table.from_pylist(rows), folder / "scenes.parquet")
    return folder / "scenes.parquet"
