"""`pancap scenes` on Ray Data: same bytes for any number of workers, complete folders, refusals."""

import json

import pyarrow.parquet as pq
import pytest

from pancap.caption.arrow import content_from_row
from pancap.configs.errors import UsageError
from pancap.engine.scenes import generate
from pancap.engine.scenes.config import ScenesConfig
from pancap.engine.scenes.generate import generate_scenes, iter_scenes

NUM = 10


@pytest.fixture(scope="module")
def small_blocks():
    patch = pytest.MonkeyPatch()
    patch.setattr(generate, "_BLOCK_ROWS", 3)
    patch.setattr(generate, "_FILE_ROWS", 4)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def runs(small_blocks, tmp_path_factory):
    import ray

    root = tmp_path_factory.mktemp("scenes")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        return {workers: (root / str(workers), draw_with(workers, root / str(workers))) for workers in (1, 2)}
    finally:
        ray.shutdown()


def draw_with(num_workers, out):
    config = ScenesConfig(out=str(out), num=NUM, size_px=64, num_workers=num_workers)
    return generate_scenes(config, config_text="num: 10\n")


def files_of(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_one_and_two_workers_write_the_same_bytes(runs):
    """R33."""
    (one, first), (two, second) = runs[1], runs[2]
    assert files_of(one) == files_of(two)
    assert first.digest == second.digest
    assert len(list((one / "scenes.parquet").iterdir())) == 3


def test_rows_images_and_captions_are_those_of_the_seed(runs):
    root, summary = runs[2]
    rows = pq.read_table(root / "scenes.parquet").to_pylist()
    captions = json.loads((root / "captions.json").read_text())
    assert summary.num == len(rows) == len(captions) == NUM
    for row, caption, scene in zip(rows, captions, iter_scenes(0, NUM, size_px=64), strict=True):
        assert (root / row["uri"]).is_file()
        assert row["caption"] == caption["gt_response"] == scene.caption
        assert content_from_row(row["content"]).globals == scene.content.globals
        assert [e["tag"] for e in row["entities"]] == [e.tag for e in scene.content.entities]


def test_finished_folder_says_complete_and_draws_nothing(runs):
    """R3; no cluster is running here, so drawing would fail."""
    root, _ = runs[1]
    before = files_of(root)
    summary = generate_scenes(ScenesConfig(out=str(root), num=NUM, size_px=64))
    assert summary.was_complete and "complete" in summary.render()
    assert files_of(root) == before


def test_folder_of_other_settings_is_refused_with_the_difference(runs):
    """R2."""
    root, _ = runs[1]
    with pytest.raises(UsageError, match="num: 10 -> 11"):
        generate_scenes(ScenesConfig(out=str(root), num=NUM + 1, size_px=64))


def test_folder_of_foreign_files_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="did not write"):
        generate_scenes(ScenesConfig(out=str(tmp_path), num=1))
    with pytest.raises(UsageError, match="is a file"):
        generate_scenes(ScenesConfig(out=str(tmp_path / "letter.txt"), num=1, overwrite=True))
