"""How well the embedded detectors find and name things: on Scenes exactly, on annotated photographs for location."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import CaptionContent
from pancap.configs.errors import UsageError
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import UNKNOWN_TAG, Grounder, Proposer, Tagger
from pancap.engine.detectors.scene_cache import Progress, Render, render_for_training
from pancap.engine.merging import drop_doubles, join_detections

HIT_IOU = 0.5
# As in EngineConfig.
SAME_TAG_MAX_IOU = 0.3
JOIN_MAX_IOU = 0.5
NO_LABEL_COST = 2.0


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Precision, recall and F1 of one question, 0..1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class SceneScores:
    """Figures on Scenes.

    Args:
        proposer: regions against entities at IoU 0.5, names ignored.
        grounder: tag right and IoU 0.5, asked for its whole vocabulary.
        tagger_accuracy: right names on the true boxes.
        union_tag: the engine's three passes together (proposals named, their names looked for): names, anywhere.
        union_location: the same with IoU 0.5 as well.
        num_scenes: scenes measured.
    """

    proposer: Ratio
    grounder: Ratio
    tagger_accuracy: float
    union_tag: Ratio
    union_location: Ratio
    num_scenes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, F1 included."""
        fields = asdict(self)
        for name in ("proposer", "grounder", "union_tag", "union_location"):
            fields[name]["f1"] = getattr(self, name).f1
        return fields

    def render(self) -> str:
        """A table in percent."""
        rows = [("proposer, IoU 0.5", self.proposer), ("grounder, tag and IoU 0.5", self.grounder)]
        rows += [("union, tag", self.union_tag), ("union, tag and IoU 0.5", self.union_location)]
        lines = [f"{self.num_scenes} scenes                precision  recall      F1"]
        lines += [f"{name:<26} {100 * r.precision:>9.1f} {100 * r.recall:>7.1f} {100 * r.f1:>7.1f}" for name, r in rows]
        return "\n".join([*lines, f"tagger on true boxes: {100 * self.tagger_accuracy:.1f} % right"])


@dataclass(frozen=True, kw_only=True)
class PhotographScores:
    """Figures on photographs with panoptic annotations: location recall at IoU 0.5 of the annotated segments."""

    recall: float
    recall_things: float
    recall_stuff: float
    num_segments: int
    num_images: int
    regions_per_image: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """One line."""
        return (
            f"{self.num_images} photographs, {self.num_segments} segments: location recall at IoU 0.5 "
            f"{100 * self.recall:.1f} % (things {100 * self.recall_things:.1f}, stuff {100 * self.recall_stuff:.1f}) "
            f"with {self.regions_per_image:.1f} regions an image"
        )


def evaluate_on_scenes(
    proposer: Proposer,
    tagger: Tagger,
    grounder: Grounder,
    *,
    vocabulary: Sequence[str],
    seed: int = 0,
    num: int = 300,
    render: Render = render_for_training,
    on_progress: Progress | None = None,
) -> SceneScores:
    """Runs the three models over scenes seed, seed + 1, ... and compares with the truth.

    Args:
        proposer, tagger, grounder: the models.
        vocabulary: tags that the grounder is asked for.
        seed: of the first scene; models are trained on seeds from 10,000,000.
        num: scenes.
        render: makes one scene.
        on_progress: called with ("evaluating", done, total).
    """
    counts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in ("proposer", "grounder", "tag", "location")}
    num_right = num_named = 0
    for index in range(num):
        image, content = render(seed + index)
        truth = _truth(content)
        regions = proposer.propose([image])[0]
        guesses = tagger.tag(image, [region.box for region in regions])
        found = [
            Detection(tag=guess.tag, box=region.box, score=region.score, source="proposer")
            for region, guess in zip(regions, guesses, strict=True)
            if guess.tag != UNKNOWN_TAG
        ]
        grounded = grounder.ground([image], [vocabulary])[0]
        found = drop_doubles(found, max_iou=SAME_TAG_MAX_IOU)
        again = grounder.ground([image], [sorted({item.tag for item in found})])[0]
        merged = join_detections(found, [again], max_iou=JOIN_MAX_IOU)
        unnamed = [Detection(tag="", box=region.box) for region in regions]
        places = [Detection(tag="", box=item.box) for item in truth]
        counts["proposer"].append((num_matches(unnamed, places, min_iou=HIT_IOU), len(unnamed), len(places)))
        counts["grounder"].append((num_matches(grounded, truth, min_iou=HIT_IOU), len(grounded), len(truth)))
        counts["tag"].append((num_matches(merged, truth, min_iou=0.0), len(merged), len(truth)))
        counts["location"].append((num_matches(merged, truth, min_iou=HIT_IOU), len(merged), len(truth)))
        named = tagger.tag(image, [item.box for item in truth])
        num_right += sum(guess.tag == item.tag for guess, item in zip(named, truth, strict=True))
        num_named += len(truth)
        if on_progress is not None:
            on_progress("evaluating", index + 1, num)
    return SceneScores(
        proposer=_ratio(counts["proposer"]),
        grounder=_ratio(counts["grounder"]),
        tagger_accuracy=num_right / max(num_named, 1),
        union_tag=_ratio(counts["tag"]),
        union_location=_ratio(counts["location"]),
        num_scenes=num,
    )


def evaluate_on_photographs(
    proposer: Proposer, folder: Path, *, on_progress: Progress | None = None
) -> PhotographScores:
    """Location recall of a class-agnostic detector on photographs in COCO panoptic format.

    Args:
        proposer: the detector.
        folder: holds `panoptic.json` and `images/`.
        on_progress: called with ("evaluating", done, total).

    Raises:
        UsageError: the folder has no `panoptic.json`.
    """
    from pancap.caption.images import load_image

    file = folder / "panoptic.json"
    if not file.is_file():
        raise UsageError(f"expected COCO panoptic annotations, {file} does not exist; name the folder that holds it")
    panoptic = json.loads(file.read_text())
    is_thing = {category["id"]: bool(category["isthing"]) for category in panoptic["categories"]}
    hits: dict[bool, list[bool]] = {True: [], False: []}
    num_regions = 0
    for index, annotation in enumerate(panoptic["annotations"]):
        name = Path(annotation["file_name"]).with_suffix(".jpg").name
        rgb = load_image((folder / "images" / name).read_bytes()).rgb
        regions = proposer.propose([rgb])[0]
        num_regions += len(regions)
        segments = [segment for segment in annotation["segments_info"] if not segment.get("iscrowd")]
        boxes = [_segment_box(segment["bbox"], width=rgb.shape[1], height=rgb.shape[0]) for segment in segments]
        iou = _iou([region.box for region in regions], boxes)
        for column, segment in enumerate(segments):
            hits[is_thing[segment["category_id"]]].append(bool((iou[:, column] >= HIT_IOU).any()))
        if on_progress is not None:
            on_progress("evaluating", index + 1, len(panoptic["annotations"]))
    every = hits[True] + hits[False]
    return PhotographScores(
        recall=float(np.mean(every)) if every else 0.0,
        recall_things=float(np.mean(hits[True])) if hits[True] else 0.0,
        recall_stuff=float(np.mean(hits[False])) if hits[False] else 0.0,
        num_segments=len(every),
        num_images=len(panoptic["annotations"]),
        regions_per_image=num_regions / max(len(panoptic["annotations"]), 1),
    )


def num_matches(found: Sequence[Detection], truth: Sequence[Detection], *, min_iou: float) -> int:
    """How many detections can be paired with one truth each, of the same tag and with at least this IoU."""
    from scipy.optimize import linear_sum_assignment

    if not found or not truth:
        return 0
    iou = _iou([item.box for item in found], [item.box for item in truth])
    same = np.array([[one.tag == other.tag for other in truth] for one in found])
    allowed = same & (iou >= min_iou)
    rows, columns = linear_sum_assignment(np.where(allowed, -1.0 - iou, NO_LABEL_COST))
    return int(allowed[rows, columns].sum())


def _truth(content: CaptionContent) -> list[Detection]:
    return [Detection(tag=item.tag, box=item.box, source="truth") for item in content.entities if item.box is not None]


def _iou(boxes: Sequence[Box], others: Sequence[Box]) -> np.ndarray:
    import torch

    from pancap.custom_kernels.pairwise_iou import pairwise_iou

    left, right = (torch.tensor([box.as_tuple() for box in some], dtype=torch.float64) for some in (boxes, others))
    found: np.ndarray = pairwise_iou(left.view(-1, 4), right.view(-1, 4)).numpy()
    return found


def _segment_box(bbox: Sequence[float], *, width: int, height: int) -> Box:
    x, y, box_width, box_height = bbox
    return Box.from_px((x, y, x + max(box_width, 1), y + max(box_height, 1)), width=width, height=height)


def _ratio(counts: Sequence[tuple[int, int, int]]) -> Ratio:
    right, num_found, num_true = (sum(column) for column in zip(*counts, strict=True))
    return Ratio(precision=right / max(num_found, 1), recall=right / max(num_true, 1))
