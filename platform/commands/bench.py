"""`pancap bench`: one part measured against its target."""

from pathlib import Path

from pancap.platform.console import Progress, Summary, progress_bars, show


def run(*, name: str, as_json: bool, images: Path | None = None) -> None:
    """Measures and prints the table."""
    with progress_bars() as report:
        if name == "scenes":
            summary = _scenes()
        elif name == "kernels":
            summary = _kernels(report=report)
        else:
            summary = _detectors(images, report=report)
    show(summary, as_json=as_json)


def _scenes() -> Summary:
    from pancap.engine.scenes.bench import bench_scenes

    return bench_scenes()


def _kernels(*, report: Progress) -> Summary:
    from pancap.custom_kernels.bench.run import bench_kernels

    return bench_kernels(on_progress=report)


def _detectors(images: Path | None, *, report: Progress) -> Summary:
    from pancap.engine.detectors.evaluate import evaluate_on_photographs, evaluate_on_scenes
    from pancap.engine.registry import load_grounder, load_proposer, load_tagger
    from pancap.engine.scenes.vocabulary import PARTS, STUFF, THINGS

    if images is not None:
        return evaluate_on_photographs(load_proposer("nano"), images, on_progress=report)
    return evaluate_on_scenes(
        load_proposer("nano"),
        load_tagger("nano"),
        load_grounder("nano"),
        vocabulary=[*THINGS, *STUFF, *PARTS],
        on_progress=report,
    )
