"""`pancap compare`: two systems on the same images."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError, published_results
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import score_file

if TYPE_CHECKING:
    from pancap.scoring.comparison import Comparison, ImageScores


@dataclass(frozen=True, kw_only=True)
class _System:
    """One side of a comparison; `captions` by image where it was given as captions."""

    scores: "ImageScores"
    captions: Mapping[str, str] = field(default_factory=dict)


def run(
    *,
    first: str,
    second: str | None,
    with_paper: bool,
    reference: Path | None,
    images: Path | None,
    out: Path | None,
    track: str | None,
    as_json: bool,
) -> None:
    """Compares two systems, or one with the published ones; with a folder, writes chart and pictures there."""
    from pancap.scoring.comparison import compare_scores

    if with_paper:
        ours = [name for name in (first, second) if name]
        show(_beside_paper({name: _read(name, reference=reference, track=track) for name in ours}), as_json=as_json)
        return
    if second is None:
        raise UsageError("a second system is needed; name it, or add --paper for the published results")
    if images and not (reference and out):
        raise UsageError("pictures of losses need --reference (to know the captions) and --out (a folder for them)")
    systems = [_read(name, reference=reference, track=track) for name in (first, second)]
    names = _labels(first, second)
    comparison = compare_scores(systems[0].scores, systems[1].scores, names=names)
    if out:
        _write(comparison, systems, images=images, out=out)
    show(comparison, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """The published results with our own below them.

    Args:
        rows: tag, loc, att, rel, glo and overall by model; a dimension that is nowhere is NaN.
        source: of the published rows.
        judges: of our rows, by name.
    """

    rows: dict[str, tuple[float, ...]]
    source: str
    judges: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """One line a model."""
        width = max(map(len, self.rows)) + 2
        lines = [f"{'':<{width}}" + "".join(f"{name:>8}" for name in ("tag", "loc", "att", "rel", "glo", "overall"))]
        lines += [
            f"{name:<{width}}" + "".join(f"{figure:>8.2f}" for figure in figures) for name, figures in self.rows.items()
        ]
        lines.append(f"published: {self.source}")
        lines += [f"{name}: judge {judge}" for name, judge in self.judges.items()]
        lines.append("note: figures of different judges or images are not comparable; look at the order of magnitude")
        return "\n".join(lines)


def _beside_paper(systems: Mapping[str, _System]) -> PaperTable:
    published = published_results()
    return PaperTable(
        rows=published.models | {name: system.scores.means() for name, system in systems.items()},
        source=published.source,
        judges={name: system.scores.judge for name, system in systems.items()},
    )


def _read(name: str, *, reference: Path | None, track: str | None) -> _System:
    from pancap.scoring.comparison import ImageScores, read_scores

    if reference:
        from pancap.scoring.files import align, load_captions, score_files

        with progress_bars(title=Path(name).name) as progress:
            report = score_files(name, reference, on_progress=progress)
        captions, _ = align(load_captions(name), load_captions(reference))
        return _System(scores=ImageScores.of_report(report), captions=captions)
    return _System(scores=read_scores(score_file(name, track=track)))


def _labels(first: str, second: str) -> tuple[str, str]:
    """The last parts of the two paths that tell them apart; runs keep their ids."""
    parts = [reversed(Path(name).with_suffix("").parts) for name in (first, second)]
    return next(((a, b) for a, b in zip(*parts, strict=False) if a != b), (first, second))


def _write(comparison: "Comparison", systems: list[_System], *, images: Path | None, out: Path) -> None:
    from pancap.platform.charts import differences_chart

    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.json").write_text(json.dumps(comparison.to_dict(), indent=1) + "\n", encoding="utf-8")
    differences_chart(comparison, out / "differences.png")
    if images:
        _draw_losses(comparison, systems, images=images, out=out)


def _draw_losses(comparison: "Comparison", systems: list[_System], *, images: Path, out: Path) -> None:
    """The worst images with the boxes of both captions, where the image is found."""
    from pancap.caption.images import load_image
    from pancap.platform.comparison import side_by_side
    from pancap.scoring.judges.rule import RuleJudge

    judge = RuleJudge()
    for number, (image, *figures) in enumerate(comparison.worst, start=1):
        path = next((path for path in (images / image, images / Path(image).name) if path.is_file()), None)
        if path is None:
            continue
        left, right = (judge.extract(system.captions[image]).entities for system in systems)
        titles = [
            f"{Path(name).parent.name or name}: {figure:.0f}"
            for name, figure in zip(comparison.names, figures, strict=True)
        ]
        side_by_side(
            load_image(path.read_bytes()).rgb,
            left=left,
            right=right,
            titles=(titles[0], titles[1]),
            path=out / f"loss_{number}.png",
        )
