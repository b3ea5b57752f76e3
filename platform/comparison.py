"""Models side by side: one table of scores, and pictures of what each saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from pancap.caption import Entity
    from pancap.scoring.report import ScoreReport

GAP_PX = 12


def comparison_table(reports: "Mapping[str, ScoreReport]") -> str:
    """F1 of each dimension and overall, with 95 % intervals, one column a model."""
    from pancap.scoring.results import DIMENSION_TITLES, DIMENSIONS

    width = max(24, *(len(name) + 2 for name in reports))
    lines = [f"{'PancapScore':<14}" + "".join(f"{name:>{width}}" for name in reports)]
    for key in DIMENSIONS:
        cells = []
        for report in reports.values():
            dimension = report.dimensions[key]
            interval = dimension.interval if dimension else None
            bounds = (100 * interval.low, 100 * interval.high) if interval else None
            cells.append(_cell(100 * dimension.f1 if dimension else None, bounds))
        lines.append(f"{DIMENSION_TITLES[key]:<14}" + "".join(f"{cell:>{width}}" for cell in cells))
    totals = []
    for report in reports.values():
        span = report.overall_interval
        totals.append(_cell(report.overall, (span.low, span.high) if span else None))
    lines.append(f"{'overall (410)':<14}" + "".join(f"{cell:>{width}}" for cell in totals))
    lines.append(f"{'words':<14}" + "".join(f"{report.words_per_caption:>{width}.0f}" for report in reports.values()))
    tokens = [report.tokens_per_caption for report in reports.values()]
    if None not in tokens:
        lines.append(f"{'tokens':<14}" + "".join(f"{count:>{width}.0f}" for count in tokens))
    first = next(iter(reports.values()))
    lines.append(f"{first.n} images; judge {first.judge}, rules {first.rules}, encoder {first.encoder}; 95 % intervals")
    return "\n".join(lines)


def side_by_side(
    rgb: "np.ndarray", *, left: "Sequence[Entity]", right: "Sequence[Entity]", titles: tuple[str, str], path: Path
) -> Path:
    """One image twice, with two sets of boxes, as a PNG.

    Args:
        rgb: image (H, W, 3) uint8.
        left, right: entities drawn on each copy.
        titles: written above each.
        path: file to write.
    """
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from pancap.caption.overlay import draw_boxes

    drawn = [draw_boxes(rgb, entities) for entities in (left, right)]
    height, width = drawn[0].shape[:2]
    sheet = Image.new("RGB", (2 * width + GAP_PX, height + 28), "white")
    writer = ImageDraw.Draw(sheet)
    for index, (picture, title) in enumerate(zip(drawn, titles, strict=True)):
        offset = index * (width + GAP_PX)
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (offset, 28))
        writer.text((offset + 6, 5), title, fill="black", font=ImageFont.load_default(16))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def _cell(value: float | None, bounds: tuple[float, float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} [{bounds[0]:.1f}, {bounds[1]:.1f}]" if bounds else f"{value:.1f}"
