"""Scenes to train on, and what vLLM needs on a CPU."""

import pytest

from pancap.llm.config import VllmConfig


@pytest.fixture(scope="module")
def vllm_on_cpu():
    """Settings of a small engine in its own process, and the variables that it reads."""
    engine = {
        "enforce_eager": True,
        "max_num_seqs": 8,
        "block_size": 32,  # the smallest on a CPU
        "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        yield VllmConfig(dtype="float32", max_model_len=2048, max_in_flight=3, engine=engine)


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
