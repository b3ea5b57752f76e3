"""Everything of a run that needs no Ray: rows that are there, folders that are not this run's, full disks."""

import errno
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pancap.configs import StoppedError, TooManyBadRowsError, UsageError
from pancap.engine import run as engine_run
from pancap.engine.config import EngineConfig
from pancap.engine.folder import RunFolder, write_json, write_table
from pancap.engine.identity import check_same_run, describe_run, fingerprint
from pancap.engine.rows import KEPT_ROW_SCHEMA, ROW_SCHEMA
from pancap.engine.run import resume_command, run_engine
from pancap.engine.sources import INDEX_SCHEMA

ENTITY = {"tag": "cat", "box": [0.1, 0.2, 0.5, 0.6], "score": 0.9, "source": "nano_proposer"}
FINE = {"width": 40, "height": 20, "split": "train", "provenance": "{}", "entities": [ENTITY, ENTITY]}
CAPTION = {"caption": "A cat [[0.100, 0.200, 0.500, 0.600]].", "verify_caption": "The cat."}


def agreement(overall):
    return {"agreement": {"tag": 1.0, "att": None, "rel": 0.5, "glo": 1.0, "overall": overall}}


def row(image_id, **columns):
    return {"image_id": image_id, "uri": f"/images/{image_id}.png", **columns}


ROWS = [
    row("d", error="load/truncated: cut"),
    row("a", **FINE, **CAPTION, **agreement(250.0)),
    row("b", **FINE, **CAPTION, **agreement(30.0), drop_reason="low_agreement"),
    row("c", **FINE, **CAPTION, **agreement(200.0)),
]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "images").mkdir()
    return EngineConfig(source=str(tmp_path / "images"), out=str(tmp_path / "out"), max_bad_fraction=0.5)


@pytest.fixture
def folder(config):
    """A run whose rows are all written and whose tables are not."""
    folder = RunFolder(config_root(config))
    ids = sorted(item["image_id"] for item in ROWS)
    write_table(folder.index, pa.table({"image_id": ids, "uri": [f"/{name}" for name in ids]}, schema=INDEX_SCHEMA))
    write_table(folder.rows / "1.parquet", pa.Table.from_pylist(ROWS[:1], schema=KEPT_ROW_SCHEMA))
    write_table(folder.rows / "2.parquet", pa.Table.from_pylist(ROWS[1:], schema=KEPT_ROW_SCHEMA))
    left_out = {"num_duplicates": 2, "num_unreadable": 0, "num_outside": 0}
    write_json(folder.description, {"run": describe_run(config), "left_out": left_out})
    return folder


def config_root(config):
    from pathlib import Path

    return Path(config.out)


def test_rows_become_tables_in_the_order_of_the_index(config, folder):
    summary = run_engine(config)
    kept = pq.read_table(folder.dataset)
    assert kept["image_id"].to_pylist() == ["a", "c"]
    assert kept.schema.equals(ROW_SCHEMA)
    assert pq.read_table(folder.dropped)["agreement"].to_pylist()[0]["overall"] == 30.0
    assert pq.read_table(folder.errors)["error"].to_pylist() == ["load/truncated: cut"]
    assert (summary.num_in, summary.num_kept, summary.num_resumed) == (4, 2, 4)
    assert summary.dropped == {"low_agreement": 1}
    assert summary.quarantined == {"load/truncated": 1}
    assert summary.agreement.mean == 160.0
    assert json.loads(folder.manifest.read_text())["num_rows"] == 4


def test_the_summary_names_every_figure(config, folder):
    table = run_engine(config).render()
    for words in (
        "images in             4",
        "kept                  2",
        "low_agreement",
        "load/truncated",
        "duplicate files",
    ):
        assert words in table


def test_exports_hold_the_kept_rows(config, folder):
    run_engine(config)
    sapancap = json.loads((folder.export / "sapancap.json").read_text())
    assert sapancap[0] == {"image_path": "/images/a.png", "gt_response": CAPTION["caption"]}
    coco = json.loads((folder.export / "coco.json").read_text())
    assert [len(coco[name]) for name in ("images", "annotations", "categories", "captions")] == [2, 4, 1, 2]
    assert coco["annotations"][0]["bbox"] == [4.0, 4.0, 16.0, 8.0]


def test_a_finished_run_started_again_says_so_and_writes_nothing(config, folder):
    """R3."""
    first = run_engine(config)
    before = {path: path.stat().st_mtime_ns for path in folder.root.rglob("*")}
    again = run_engine(config)
    assert again.is_repeat and not first.is_repeat
    assert again.num_kept == first.num_kept and again.agreement == first.agreement
    assert "already complete" in again.render()
    assert {path: path.stat().st_mtime_ns for path in folder.root.rglob("*")} == before


def test_another_configuration_is_refused_with_the_difference(config, folder):
    """R2."""
    other = EngineConfig(source=config.source, out=config.out, min_agreement=7.0, split="val")
    with pytest.raises(UsageError) as caught:
        run_engine(other)
    assert "min_agreement" in str(caught.value) and "-> 7.0" in str(caught.value)
    assert "split: 'train' -> 'val'" in str(caught.value)


def test_changed_weights_are_refused(config):
    """R2."""
    before = describe_run(config)
    now = {**before, "weights": {"tagger.safetensors": "other"}}
    with pytest.raises(UsageError, match=r"weights\.tagger"):
        check_same_run(before, now, out=config_root(config))
    assert fingerprint(before) != fingerprint(now)


def test_settings_that_no_row_depends_on_may_change(config):
    again = EngineConfig(source=config.source, out="elsewhere", num_actors=7, rows_per_commit=3)
    assert describe_run(config) == describe_run(again)


@pytest.mark.parametrize("rows", [ROWS[1:], [*ROWS[1:], ROWS[1]]])
def test_a_missing_or_doubled_row_stops_the_run(config, folder, rows, monkeypatch):
    write_table(folder.rows / "1.parquet", pa.Table.from_pylist([], schema=KEPT_ROW_SCHEMA))
    write_table(folder.rows / "2.parquet", pa.Table.from_pylist(rows, schema=KEPT_ROW_SCHEMA))
    monkeypatch.setattr(engine_run, "write_rows", lambda job, on_progress: None)
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    with pytest.raises(StoppedError, match="expected one row for each of 4 images"):
        run_engine(config)
    assert not folder.manifest.exists()


def test_a_full_disk_is_named_and_the_run_goes_on_afterwards(config, folder, monkeypatch):
    """R28."""

    def full(path, table):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(engine_run, "write_table", full)
        with pytest.raises(StoppedError) as caught:
            run_engine(config)
    assert str(folder.dataset) in str(caught.value)
    assert resume_command(config) in str(caught.value)
    assert not folder.manifest.exists()
    assert run_engine(config).num_kept == 2


def test_too_many_bad_rows_are_an_error_after_everything_is_written(config, folder):
    strict = EngineConfig(source=config.source, out=config.out, max_bad_fraction=0.2)
    with pytest.raises(TooManyBadRowsError, match="1 of 4 images failed"):
        run_engine(strict)
    assert folder.manifest.exists()


def test_an_out_with_other_data_is_refused(config):
    folder = RunFolder(config_root(config))
    write_json(folder.manifest, {})
    with pytest.raises(UsageError, match="did not write"):
        run_engine(config)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"proposer": "olm"}, "proposer must be one of"),
        ({"grounders": ("nano", "x")}, "grounders must be one of"),
        ({"verifier": "gpt"}, "verifier must be one of"),
    ],
)
def test_unknown_models_are_refused_before_anything_starts(config, change, words):
    with pytest.raises(UsageError, match=words):
        run_engine(EngineConfig(source=config.source, out=config.out, **change))
    assert not config_root(config).exists()


@pytest.mark.parametrize(
    "change", [{"batch_size": 0}, {"limit": 0}, {"join_max_iou": 1.5}, {"source": ""}, {"out": ""}]
)
def test_settings_that_cannot_be_meant_are_refused(change):
    with pytest.raises(UsageError):
        EngineConfig(**{"source": "a", "out": "b", **change})


def test_the_resume_command_names_what_was_set():
    config = EngineConfig(source="my images", out="out", limit=5, grounders=("nano", "nano"))
    assert resume_command(config) == "pancap engine run 'source=my images' out=out 'grounders=[nano,nano]' limit=5"
