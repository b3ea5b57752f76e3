"""What the stages of a captioning run wrote: how much, and whether its boxes are those of the true captions."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pancap.caption.boxes import Box
    from pancap.chain.config import Coordinates

MIN_IOU = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTexts:
    """One stage's answers.

    Args:
        tokens: an image, mean.
        boxes: different ones an image, mean.
        recall: percent of the true boxes that lie under one of these, one to one, IoU >= 0.5; tags are not looked at.
        precision: percent of these boxes that lie on a true one, likewise; 0 where there is none.
    """

    tokens: float
    boxes: float
    recall: float
    precision: float

    def render(self) -> str:
        """`161 tokens, 7.4 boxes (recall 69.1, precision 70.2)`."""
        boxes = f"{self.boxes:.1f} boxes (recall {self.recall:.1f}, precision {self.precision:.1f})"
        return f"{self.tokens:.0f} tokens, {boxes}"


def read_stage_texts(
    records: Path, *, reference: Path, coordinates: "Coordinates", count_tokens: Callable[[str], int]
) -> dict[str, StageTexts]:
    """Figures of each stage, by its name.

    Args:
        records: captions.jsonl of the run.
        reference: captions.json with the true captions, its images beside it.
        coordinates: how the model spells boxes.
        count_tokens: of a text, by the model's own tokenizer.
    """
    from pancap.caption.images import read_size
    from pancap.chain.boxtokens import BoxCodec

    truth = {row["image_path"]: _boxes(row["gt_response"]) for row in json.loads(reference.read_text(encoding="utf-8"))}
    counts: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    tokens: dict[str, list[int]] = defaultdict(list)
    lines = records.read_text(encoding="utf-8").split("\n")[:-1]
    for record in map(json.loads, lines):
        true = truth[record["image_path"]]
        width, height = read_size((reference.parent / record["image_path"]).read_bytes())
        codec = BoxCodec(coordinates=coordinates, width=width, height=height)
        for stage, text in record["stages"].items():
            found = _boxes(codec.from_model(text))
            counts[stage].append((len(found), _num_shared(found, true), len(true)))
            tokens[stage].append(count_tokens(text))
    figures = {}
    for stage, per_image in counts.items():
        num_found, num_right, num_true = map(sum, zip(*per_image, strict=True))
        figures[stage] = StageTexts(
            tokens=sum(tokens[stage]) / len(lines),
            boxes=num_found / len(lines),
            recall=100 * num_right / num_true,
            precision=100 * num_right / max(num_found, 1),
        )
    return figures


def mean_texts(of_seeds: Sequence[StageTexts]) -> StageTexts:
    """The mean of each figure."""
    return StageTexts(**{name: fmean(getattr(each, name) for each in of_seeds) for name in StageTexts.__slots__})


def _boxes(caption: str) -> "list[Box]":
    from pancap.caption.formats import sapancap

    return list(dict.fromkeys(sapancap.parse(caption).boxes))


def _num_shared(found: "Sequence[Box]", true: "Sequence[Box]") -> int:
    """The most pairs that overlap enough, no box in two of them."""
    import numpy as np

    from pancap.scoring.assignment import assign, pairwise_iou

    if not found or not true:
        return 0
    iou = pairwise_iou(*(np.array([box.as_tuple() for box in boxes]) for boxes in (found, true)))
    return sum(bool(iou[pair] >= MIN_IOU) for pair in assign(-(iou >= MIN_IOU).astype(float)))
