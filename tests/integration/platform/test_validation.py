"""Checkpoints of a real run captioned and scored by the real judge, through the command that does it."""

import json

import pytest
from mlflow import MlflowClient

from pancap.configs import UsageError
from pancap.platform.commands import train_chain
from pancap.platform.validation import validate_on


def test_train_chain_scores_its_last_checkpoint_on_held_out_scenes_and_tracks_it(scenes, tmp_path, capsys):
    train, held_out = scenes
    sizes = {"image_px": 64, "vocabulary_size": 400}
    sizes |= {f"{part}_{name}": size for part in ("vision", "text") for name, size in (("hidden", 32), ("layers", 1))}
    sizes |= {"vision_heads": 2, "text_heads": 2}
    settings = {
        "data": train / "scenes.parquet", "out": tmp_path, "validation": held_out, "validation_limit": 2,
        "mode": "instances", "steps": 2, "batch_size": 2, "num_workers": 0, "max_tokens": 2000,
    }  # fmt: skip
    settings |= {f"model.{name}": size for name, size in sizes.items()}
    overrides = [f"{name}={value}" for name, value in settings.items()]
    database = f"sqlite:///{tmp_path}/mlflow.db"
    train_chain.run(overrides=overrides, config=None, track=database, as_json=True)
    best = json.loads(capsys.readouterr().out.splitlines()[-1])["best"]
    assert best["step"] == 2 and best["figures"]["n"] == 2
    assert 0 <= best["figures"]["overall"] <= 410
    assert json.loads((tmp_path / "validation.jsonl").read_text())["step"] == 2
    client = MlflowClient(database)
    (tracked,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (curve,) = client.get_metric_history(tracked.info.run_id, "val_overall")
    assert (curve.step, curve.value) == (2, pytest.approx(best["figures"]["overall"]))


def test_a_folder_without_captions_is_refused_before_training(tmp_path):
    with pytest.raises(UsageError, match=r"captions.json does not exist"):
        validate_on(tmp_path, limit=3)
