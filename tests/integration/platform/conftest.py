"""Scenes in small."""

import json

import pyarrow.parquet as pq
import pytest

from pancap.engine.scenes.rows import draw_rows


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Six scenes to train on and six others, written without Ray."""
    folders = [tmp_path_factory.mktemp(name) for name in ("train", "held_out")]
    for seed, folder in enumerate(folders):
        (folder / "images").mkdir()
        rows = draw_rows(list(range(6)), root=folder, seed=seed, size_px=128, split="train")
        pq.write_table(rows, folder / "scenes.parquet")
        captions = zip(rows["uri"].to_pylist(), rows["caption"].to_pylist(), strict=True)
        records = [{"image_path": uri, "gt_response": caption} for uri, caption in captions]
        (folder / "captions.json").write_text(json.dumps(records))
    return folders
