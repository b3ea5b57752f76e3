"""Pictures of figures."""

import json

import numpy as np
from PIL import Image

from pancap.chain.training.files import trim_metrics
from pancap.platform.charts import training_chart


def metrics_file(folder, lines):
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_training_chart_draws_every_figure_that_some_lines_have(tmp_path):
    lines = [{"step": step, "loss": 9.0 / step, "lr": 0.1} for step in range(1, 30)]
    lines[10]["giou"], lines[20]["giou"] = 0.1, 0.4
    chart = training_chart(metrics_file(tmp_path, lines), tmp_path / "curves.png")
    pixels = np.asarray(Image.open(chart).convert("RGB"))
    panels = np.array_split(pixels, 2, axis=1)
    assert all((panel.min(axis=2) < 200).sum() > 500 for panel in panels), (
        "loss and giou, a panel each, no learning rate"
    )


def test_a_run_without_a_curve_gives_no_picture(tmp_path):
    assert training_chart(tmp_path / "none.jsonl", tmp_path / "curves.png") is None
    assert training_chart(metrics_file(tmp_path, [{"step": 1, "loss": 2.0}]), tmp_path / "curves.png") is None
    assert not (tmp_path / "curves.png").exists()


def test_a_cut_last_line_costs_that_line_alone(tmp_path):
    path = metrics_file(tmp_path, [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}])
    path.write_text(path.read_text() + '{"step": 3, "lo')
    assert training_chart(path, tmp_path / "curves.png") is not None
    trim_metrics(path, step=1)
    assert path.read_text() == '{"step": 1, "loss": 2.0}\n'
