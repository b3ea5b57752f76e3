"""An experiment in small: two ways, two seeds, trained, captioned, scored, compared, and not done twice."""

import json

import pytest

from pancap.chain.training.config import TrainConfig
from pancap.configs import UsageError, load_config
from pancap.platform.experiment import ExperimentConfig, fingerprint, phases_of, run_experiment

TINY = {"image_px": 64, "vocabulary_size": 400} | {
    f"{part}_{name}": value
    for part in ("vision", "text")
    for name, value in {"hidden": 32, "layers": 1, "heads": 2, "mlp": 48}.items()
}


def make_config(scenes, out, **changes):
    train, held_out = scenes
    settings = {
        "data": str(train / "scenes.parquet"),
        "held_out": str(held_out),
        "out": str(out),
        "seeds": [0, 1],
        "baseline": "one stage",
        "train": {"model": TINY, "steps": 2, "batch_size": 2, "log_every": 1, "max_tokens": 2000},
        "caption": {"decoding": {"max_new_tokens_cap": 40, "max_new_tokens_loc": 20}},
        "variants": {
            "one stage": [{"mode": "one_stage"}],
            "four stages": [{"mode": "one_stage", "steps": 1}, {"mode": "chain", "steps": 1}],
            "two stages": [{"mode": "one_stage", "steps": 1}, {"mode": "two_stage", "steps": 1, "caption_noise": 0.2}],
        },
    }
    return ExperimentConfig(**(settings | changes))


def test_every_way_is_measured_with_every_seed_and_nothing_is_done_twice(scenes, tmp_path):
    config = make_config(scenes, tmp_path)
    said = []
    result = run_experiment(config, on_progress=lambda what, done, total: said.append(what))
    assert list(result.variants) == ["one stage", "four stages", "two stages"]
    assert len(list((tmp_path / "phases").iterdir())) == 2 * 4, "ways that begin alike share that phase"
    for name, variant in result.variants.items():
        assert set(variant.overall_by_seed) == {0, 1}
        assert variant.overall.low <= variant.overall.value <= variant.overall.high
        assert (variant.num_steps, variant.num_images) == (2, 4)
        assert (variant.gain is None) == (name == "one stage")
    assert set(result.variants["four stages"].texts) >= {"loc", "cap"}
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("captions/four_stages_*/summary.json")]
    wall_time = sum(run["seconds"] / run["num_images"] for run in runs) / len(runs)
    assert sum(result.variants["four stages"].seconds_per_image.values()) == pytest.approx(wall_time), (
        "images are under way side by side: their stages' times add up to more than the time that passed"
    )
    assert result.num_held_out == 6 and result.judge.startswith("rule")
    kept = json.loads((tmp_path / "experiment.json").read_text())
    assert kept["variants"]["one stage"]["overall"]["value"] == result.variants["one stage"].overall.value
    assert (tmp_path / "experiment.png").stat().st_size > 5_000
    assert "four stages" in result.render() and any("four stages, seed 1" in what for what in said)

    said.clear()
    again = run_experiment(config, on_progress=lambda what, done, total: said.append(what))
    assert again == result
    assert not any("training" in what or "captions" in what for what in said)
    changed = make_config(scenes, tmp_path, train=config.train | {"steps": 3})
    assert run_experiment(changed, on_progress=lambda *_: None).variants["one stage"].num_steps == 3


def test_a_killed_experiment_trains_to_the_end(scenes, tmp_path, monkeypatch):
    """A checkpoint that training wrote on its way is not taken for a finished one."""
    only = {"variants": {"one stage": [{"mode": "one_stage", "steps": 4}]}, "seeds": [0]}
    config = make_config(scenes, tmp_path, **only)
    undisturbed = run_experiment(make_config(scenes, tmp_path / "other", **only), on_progress=lambda *_: None)
    (made,) = (tmp_path / "other" / "phases").iterdir()
    phase = tmp_path / "phases" / made.name
    (phase / "checkpoint").mkdir(parents=True)
    (phase / "checkpoint" / "pancap.json").write_text("{}")
    result = run_experiment(config, on_progress=lambda *_: None)
    assert result.variants["one stage"].num_steps == undisturbed.variants["one stage"].num_steps == 4
    meta = json.loads((phase / "checkpoint" / "pancap.json").read_text())
    assert meta["provenance"]["steps"] == 4


def test_an_experiment_that_cannot_be_run_is_one_sentence(scenes, tmp_path):
    with pytest.raises(UsageError, match="baseline must be one of one stage, four stages, two stages, got 'none'"):
        make_config(scenes, tmp_path, baseline="none")
    with pytest.raises(UsageError, match="needs a seed"):
        make_config(scenes, tmp_path, seeds=[])
    with pytest.raises(UsageError, match="seeds must differ"):
        make_config(scenes, tmp_path, seeds=[0, 0])
    with pytest.raises(UsageError, match="train sets out, which the experiment decides itself"):
        make_config(scenes, tmp_path, train={"out": "x"})
    with pytest.raises(UsageError, match="caption sets limit"):
        make_config(scenes, tmp_path, caption={"limit": 3})
    with pytest.raises(UsageError, match="same letters and digits"):
        make_config(scenes, tmp_path, variants={"one stage": [{}], "One-Stage": [{}]})
    with pytest.raises(UsageError, match=r"captions.json does not exist; give a folder of pancap scenes"):
        run_experiment(make_config(scenes, tmp_path, held_out=str(tmp_path)), on_progress=print)
    with pytest.raises(UsageError, match="stepz"):
        run_experiment(make_config(scenes, tmp_path / "x", train={"stepz": 1}), on_progress=print)


def test_new_scenes_under_old_names_are_seen(scenes, tmp_path):
    train, held_out = scenes
    before = fingerprint(held_out / "captions.json"), fingerprint(train / "scenes.parquet")
    copy = tmp_path / "captions.json"
    copy.write_text((held_out / "captions.json").read_text().replace("The", "A", 1))
    assert fingerprint(copy) != before[0] == fingerprint(held_out / "captions.json")
    assert fingerprint(train / "scenes.parquet") == before[1]


@pytest.mark.parametrize(("name", "start"), [("coordinates", "train.vision=v"), ("ablation", "seeds=[0]")])
def test_the_ways_of_a_preset_are_valid_and_differ_in_what_they_name_alone(name, start):
    config, _ = load_config(ExperimentConfig, f"bench/{name}", ["data=x", "held_out=y", start])
    found = {}
    for way, phases in config.variants.items():
        for phase, settings in zip(phases, phases_of(config, way, seed=0), strict=True):
            train, _ = load_config(TrainConfig, settings | {"out": "z"})
            found[way] = train
            assert train.loss.patches == config.train.get("loss", {}).get("patches", 1.0)
            assert {key: settings[key] for key in config.train if key not in phase} == {
                key: value for key, value in config.train.items() if key not in phase
            }
    assert len({(train.batch_size, train.lr, train.steps) for train in found.values()}) == 1
