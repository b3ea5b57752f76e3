"""`pancap score replay` and `pancap score match`: saved judge output in the published file formats."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError
from pancap.platform.console import show

if TYPE_CHECKING:
    from pancap.scoring.matching import Rules
    from pancap.scoring.replay import ReplayResult


@dataclass(frozen=True, kw_only=True)
class ReplaySummary:
    """Averages of a replay, for a terminal.

    Args:
        result: figures of every image.
        rules: of matching and counting.
        out: file that holds everything.
    """

    result: "ReplayResult"
    rules: str
    out: Path

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the averages and where the rest lies."""
        return {"averages": dict(self.result.averages), "rules": self.rules, "out": str(self.out)}

    def render(self) -> str:
        """Precision, recall and F1 of the five dimensions."""
        from pancap.scoring.results import DIMENSION_TITLES

        averages = self.result.averages
        lines = [f"{'':<14}{'P':>9}{'R':>9}{'F1':>9}"]
        for name, title in zip("elarg", DIMENSION_TITLES.values(), strict=True):
            cells = "".join(f"{100 * averages[f'{name}{kind}']:>9.2f}" for kind in ("prec", "rec", "f1"))
            lines.append(f"{title:<14}{cells}")
        lines.append(f"{'overall (410)':<14}{'':>18}{100 * averages['overall']:>9.2f}")
        lines.append(f"{len(self.result.per_image)} images; rules {self.rules}; everything in {self.out}")
        return "\n".join(lines)


def run_replay(
    *,
    candidate_content: Path,
    reference_questions: Path,
    candidate_answers: Path,
    reference_answers: Path,
    rules: "Rules",
    encoder: str,
    out: Path,
    as_json: bool,
) -> None:
    """Scores saved judge output and writes every figure."""
    from pancap.scoring.replay_files import replay_files

    _check_folder(out)
    result = replay_files(
        candidate_content=candidate_content,
        reference_questions=reference_questions,
        candidate_answers=candidate_answers,
        reference_answers=reference_answers,
        rules=rules,
        encoder=encoder,
    )
    figures = result.to_dict()
    kept = {key: figures[key] for key in ("averages", "per_image")} | {"rules": rules, "encoder": encoder}
    out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    show(ReplaySummary(result=result, rules=rules, out=out), as_json=as_json)


def run_match(
    *, candidate_content: Path, reference_questions: Path, rules: "Rules", encoder: str, out: Path, as_json: bool
) -> None:
    """Writes the questions with the candidate's entity ids."""
    from pancap.scoring.replay_files import match_files

    _check_folder(out)
    num_images = match_files(
        candidate_content=candidate_content,
        reference_questions=reference_questions,
        out=out,
        rules=rules,
        encoder=encoder,
    )
    result = {"images": num_images, "rules": rules, "out": str(out)}
    print(json.dumps(result) if as_json else f"{num_images} images matched with {rules} rules: {out}")


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise UsageError(f"folder {out.parent} does not exist; make it first, so that no work is lost at the end")
