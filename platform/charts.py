"""Pictures of figures, for MLflow and for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pancap.platform.experiment import ExperimentResult
    from pancap.scoring.agreement import Agreement, Caption
    from pancap.scoring.comparison import Comparison
    from pancap.scoring.report import ScoreReport

NO_CURVE = ("step", "lr", "images_per_s", "elapsed_s", "skipped")


def five_dimensions_chart(reports: Mapping[str, "ScoreReport"], path: Path) -> Path:
    """Bars of F1 in percent by dimension with 95 % intervals, one colour a report.

    Args:
        reports: by the name of what was scored.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    from pancap.scoring.results import DIMENSION_TITLES, DIMENSIONS

    figure = Figure(figsize=(8, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(len(reports), 1)
    for index, (name, report) in enumerate(reports.items()):
        heights, errors = _bars(report)
        places = [position + (index - (len(reports) - 1) / 2) * width for position in range(len(DIMENSIONS))]
        axes.bar(places, heights, width=width * 0.92, yerr=errors, capsize=3, label=f"{name}: {report.overall:.1f}")
    axes.set_xticks(range(len(DIMENSIONS)), [DIMENSION_TITLES[name] for name in DIMENSIONS])
    axes.set_ylabel("F1 (%)")
    axes.set_ylim(0, 105)
    axes.set_title("PancapScore by dimension (legend: overall, at most 410)")
    axes.legend(fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def differences_chart(comparison: "Comparison", path: Path) -> Path:
    """Differences of F1 in percent by dimension, second minus first system, with 95 % intervals.

    Args:
        comparison: of two systems.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    from pancap.scoring.results import DIMENSION_TITLES

    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    known = [(DIMENSION_TITLES[name], item) for name, item in comparison.dimensions.items() if item]
    for place, (_, item) in enumerate(known):
        colour = (
            "tab:gray" if item.interval.low <= 0 <= item.interval.high else "tab:blue" if item.mean > 0 else "tab:red"
        )
        axes.plot([item.interval.low, item.interval.high], [place, place], color=colour, linewidth=2)
        axes.plot([item.mean], [place], "o", color=colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(known)), [title for title, _ in known])
    axes.invert_yaxis()
    axes.set_xlabel(f"F1 of {comparison.names[1]} minus {comparison.names[0]} (points, 95 % intervals)")
    overall = comparison.overall
    axes.set_title(f"overall {overall.a:.1f} to {overall.b:.1f} of 410 (p = {overall.p_value:.4f})")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def experiment_chart(result: "ExperimentResult", path: Path) -> Path:
    """Overall of each way of training with its interval, a dot a seed; F1 of the dimensions beside it.

    Args:
        result: of an experiment.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    from pancap.scoring.results import DIMENSION_TITLES, DIMENSIONS

    names = list(result.variants)
    figure = Figure(figsize=(10, 1.6 + 0.5 * len(names)), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    for place, name in enumerate(names):
        variant = result.variants[name]
        left.plot([variant.overall.low, variant.overall.high], [place, place], linewidth=2, color=f"C{place}")
        left.plot([variant.overall.value], [place], "D", color=f"C{place}")
        left.plot(list(variant.overall_by_seed.values()), [place] * len(variant.overall_by_seed), "k.", markersize=4)
        heights = [item.value if (item := variant.dimensions[key]) else 0.0 for key in DIMENSIONS]
        width = 0.8 / len(names)
        offsets = [spot + (place - (len(names) - 1) / 2) * width for spot in range(len(DIMENSIONS))]
        right.bar(offsets, heights, width=width * 0.92, color=f"C{place}", label=name)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.set_xlabel("overall, of 410 (95 % intervals; dots: seeds)")
    right.set_xticks(range(len(DIMENSIONS)), [DIMENSION_TITLES[key] for key in DIMENSIONS], fontsize="small")
    right.set_ylabel("F1 (%)")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def training_chart(metrics: Path, path: Path) -> Path | None:
    """A training run's figures over its steps, a panel each: every logged line, and a running mean over a twentieth.

    Args:
        metrics: JSON lines of a run, each with its `step`.
        path: PNG to write.

    Returns:
        The picture; None where the run logged fewer than two lines.
    """
    import numpy as np
    from matplotlib.figure import Figure

    from pancap.chain.training.files import read_metrics

    lines = read_metrics(metrics)
    names = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in NO_CURVE]
    if len(lines) < 2 or not names:
        return None
    num_columns = min(len(names), 4)
    num_rows = -(-len(names) // num_columns)
    figure = Figure(figsize=(2.6 * num_columns, 2.0 * num_rows), dpi=110, layout="constrained")
    panels = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for axes, name in zip(panels, names, strict=False):
        steps, values = np.array([(line["step"], line[name]) for line in lines if name in line]).T
        width = max(len(values) // 20, 1)
        axes.plot(steps, values, color="tab:blue", alpha=0.35, linewidth=0.8)
        axes.plot(steps[width - 1 :], np.convolve(values, np.full(width, 1 / width), mode="valid"), color="tab:blue")
        axes.set_title(name, fontsize="small")
        axes.tick_params(labelsize="x-small")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def agreement_chart(agreement: "Agreement", ratings: "Mapping[str, Mapping[Caption, float]]", path: Path) -> Path:
    """One point a caption: the first rater's figure across, the second's up.

    Args:
        agreement: of two raters.
        ratings: of all raters, by image and system.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    first, second = ratings[agreement.first], ratings[agreement.second]
    shared = sorted(first.keys() & second.keys())
    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    axes = figure.subplots()
    systems = sorted({system for _, system in shared})
    for system in systems:
        captions = [caption for caption in shared if caption[1] == system]
        axes.plot([first[c] for c in captions], [second[c] for c in captions], ".", alpha=0.6, label=system or None)
    axes.set_xlabel(agreement.first)
    axes.set_ylabel(agreement.second)
    axes.set_title(
        f"Pearson {agreement.pearson.value:.2f}, Kendall {agreement.kendall.value:.2f}, {len(shared)} captions",
        fontsize="medium",
    )
    if len(systems) > 1:
        axes.legend(fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _bars(report: "ScoreReport") -> tuple[list[float], list[list[float]]]:
    """Heights, and lengths of the error bars below and above, in percent; a dimension that is absent is 0."""
    heights, below, above = [], [], []
    for dimension in report.dimensions.values():
        height = 100 * dimension.f1 if dimension else 0.0
        interval = dimension.interval if dimension else None
        heights.append(height)
        below.append(max(height - 100 * interval.low, 0.0) if interval else 0.0)
        above.append(max(100 * interval.high - height, 0.0) if interval else 0.0)
    return heights, [below, above]
