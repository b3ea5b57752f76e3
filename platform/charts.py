"""Pictures of figures, for MLflow and for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pancap.scoring.results import ScoreReport

DIMENSIONS = ("tag", "loc", "att", "rel", "glo")


def five_dimensions_chart(reports: Mapping[str, "ScoreReport"], path: Path) -> Path:
    """Bars of F1 in percent by dimension with 95 % intervals, one colour a report.

    Args:
        reports: by the name of what was scored.
        path: PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(len(reports), 1)
    for index, (name, report) in enumerate(reports.items()):
        heights = [100 * report.dimension(dimension).f1 for dimension in DIMENSIONS]
        low = [100 * report.dimension(dimension).interval[0] for dimension in DIMENSIONS]
        high = [100 * report.dimension(dimension).interval[1] for dimension in DIMENSIONS]
        errors = [
            [max(height - bottom, 0) for height, bottom in zip(heights, low, strict=True)],
            [max(top - height, 0) for height, top in zip(heights, high, strict=True)],
        ]
        places = [position + (index - (len(reports) - 1) / 2) * width for position in range(len(DIMENSIONS))]
        axes.bar(places, heights, width=width * 0.92, yerr=errors, capsize=3, label=f"{name}: {report.overall:.1f}")
    axes.set_xticks(range(len(DIMENSIONS)), ["tag", "location", "attribute", "relation", "global"])
    axes.set_ylabel("F1 (%)")
    axes.set_ylim(0, 105)
    axes.set_title("PancapScore by dimension (legend: overall, at most 410)")
    axes.legend(fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
