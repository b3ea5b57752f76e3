"""Scores from saved judge output in the published file formats: no model is asked again.

`official` equals the published scripts: the matching of `official_rules`, answers counted in the order of their lines
without regard to their ids, half a point for each of the two answers, one answer more than there are items, precision
over the answers that were given, 0 for a dimension that the reference lacks.

`strict` reads the same lines and keeps to what the scripts meant: the matching of `strict_rules`; a box that is none
(not four numbers, out of range or order, NaN) counts as a wrong one; at most one answer for each item; a point only
where both answers are right; precision over all items of the candidate, recall over all items of the reference; a
dimension that neither side has is left out of the mean.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pancap.scoring.encoder import Encoder
from pancap.scoring.matching import IOU_THRESHOLD, STRICT_IOU_TOLERANCE, Rules
from pancap.scoring.official_rules import match_official
from pancap.scoring.published_lines import PublishedContent, Statement, read_answers, read_content
from pancap.scoring.strict_rules import match_strict

FIGURES = tuple(f"{dimension}{kind}" for dimension in "elarg" for kind in ("rec", "prec", "f1"))
_RIGHT = ("yes", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """Figures of saved judge output.

    Args:
        averages: the fifteen figures and `overall` (0..4.1), means over images.
        per_image: the same of each image; a figure that does not apply (`strict` only) is None.
        entity_map: candidate entity of each matched reference entity, by image.
    """

    averages: Mapping[str, float]
    per_image: Mapping[str, Mapping[str, float | None]]
    entity_map: Mapping[str, Mapping[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, at full precision."""
        return {
            "averages": dict(self.averages),
            "per_image": {image: dict(figures) for image, figures in self.per_image.items()},
            "entity_map": {image: dict(pairs) for image, pairs in self.entity_map.items()},
        }


def replay(
    candidate_content: Mapping[str, str],
    reference_questions: Mapping[str, str],
    candidate_answers: Mapping[str, str],
    reference_answers: Mapping[str, str],
    *,
    rules: Rules = "strict",
    encoder: Encoder,
) -> ReplayResult:
    """Scores saved judge output.

    Args:
        candidate_content: extracted content of each candidate caption, by image.
        reference_questions: questions made of each reference caption.
        candidate_answers: answers from the candidate caption to the reference's questions (recall).
        reference_answers: answers from the reference caption to the candidate's questions (precision).
        rules: `official` equals the published scripts; images that only the candidate has are ignored by both.
        encoder: similarity of tags.

    Raises:
        KeyError: an image of the reference is missing in another input.
        ValueError: official rules and an answer that the published scripts cannot read.
    """
    per_image: dict[str, dict[str, float | None]] = {}
    entity_map = {}
    contents = {
        image: (read_content(candidate_content[image]), read_content(questions))
        for image, questions in reference_questions.items()
    }
    prepare_tags(contents.values(), encoder=encoder)
    for image, (candidate, reference) in contents.items():
        mapping, num_located = match_contents(candidate, reference, rules=rules, encoder=encoder)
        entity_map[image] = mapping
        figures = _entity_figures(candidate, reference, len(mapping), num_located, rules=rules)
        recalled = read_answers(candidate_answers[image])
        precise = read_answers(reference_answers[image])
        for name, kind in (("a", "attributes"), ("r", "relations"), ("g", "globals")):
            items = len(getattr(reference, kind)), len(getattr(candidate, kind))
            answers = getattr(recalled, kind), getattr(precise, kind)
            if rules == "official":
                figures |= _named(name, _official_rates(*items, *answers, where=image))
            else:
                figures |= _named(name, _strict_rates(*items, *answers))
        per_image[image] = figures | {"overall": _overall(figures)}
    return ReplayResult(averages=_averages(per_image), per_image=per_image, entity_map=entity_map)


def prepare_tags(pairs: Iterable[tuple[PublishedContent, PublishedContent]], *, encoder: Encoder) -> None:
    """Encodes the tags of all images at once, each once, instead of a few at a time as images are matched."""
    encoder.prepare(tag for pair in pairs for content in pair for tag in content.entities.values())


def match_contents(
    candidate: PublishedContent, reference: PublishedContent, *, rules: Rules, encoder: Encoder
) -> tuple[dict[str, str], int]:
    """Candidate entity of each matched reference entity, and how many pairs overlap by half or more."""
    rows, columns = list(reference.entities), list(candidate.entities)
    if not rows or not columns:
        return {}, 0
    found = (match_official if rules == "official" else match_strict)(
        list(reference.entities.values()),
        list(candidate.entities.values()),
        row_boxes=_boxes(reference, rules=rules),
        column_boxes=_boxes(candidate, rules=rules),
        encoder=encoder,
    )
    threshold = IOU_THRESHOLD if rules == "official" else IOU_THRESHOLD - STRICT_IOU_TOLERANCE
    num_located = sum(iou >= threshold for _, _, _, iou in found)
    return {rows[row]: columns[column] for row, column, _, _ in found}, num_located


def map_questions(candidate: PublishedContent, reference: PublishedContent, mapping: Mapping[str, str]) -> str:
    """The question text that the published scripts hand to the judge, to the letter.

    The candidate's entity and location lines come first. A location line whose id is its place is written without a
    line break, another has its id replaced wherever its digits stand in the line. The questions follow with the
    candidate's ids, replaced one after the other as plain text, so that ids can run into each other.
    """
    parts = []
    for place, (number, line) in enumerate(candidate.layout, start=1):
        if number is None:
            parts.append(f"{line}\n")
        else:
            parts.append(line if number == place else line.replace(str(number), str(place)) + "\n")
    place = len(candidate.layout)
    kinds = ("attribute", reference.attributes), ("relation", reference.relations), ("global", reference.globals)
    for kind, statements in kinds:
        for statement in statements:
            if all(subject in mapping for subject in statement.subjects):
                parts.append(f"{place} | {kind} -->> ({_mapped_fields(statement, mapping)}) \n")
                place += 1
    return "".join(parts)


def _mapped_fields(statement: Statement, mapping: Mapping[str, str]) -> str:
    text = statement.text
    for subject in statement.subjects:
        text = text.replace(subject, mapping[subject])
    return ", ".join([*(mapping[subject] for subject in statement.subjects), f'"{text}"'])


def _boxes(content: PublishedContent, *, rules: Rules) -> np.ndarray:
    rows = [content.boxes.get(entity, (np.nan,) * 4) for entity in content.entities]
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    if rules == "strict":
        x1, y1, x2, y2 = boxes.T
        boxes[~((x1 >= 0) & (x1 < x2) & (x2 <= 1) & (y1 >= 0) & (y1 < y2) & (y2 <= 1))] = np.nan
    return boxes


def _num_located(content: PublishedContent, *, rules: Rules) -> int:
    """Entities that count as located: by strict rules also those whose box cannot be read."""
    return len(content.boxes.keys() | (content.unreadable_boxes if rules == "strict" else set()))


def _entity_figures(
    candidate: PublishedContent, reference: PublishedContent, num_pairs: int, num_located: int, *, rules: Rules
) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for name, num, num_reference, num_candidate in (
        ("e", num_pairs, len(reference.entities), len(candidate.entities)),
        ("l", num_located, _num_located(reference, rules=rules), _num_located(candidate, rules=rules)),
    ):
        if rules == "strict" and not num_reference and not num_candidate:
            figures |= _named(name, None)
        else:
            figures |= _named(name, (_ratio(num, num_reference), _ratio(num, num_candidate)))
    return figures


def _official_rates(
    num_reference: int,
    num_candidate: int,
    recalled: Sequence[Sequence[str]],
    precise: Sequence[Sequence[str]],
    *,
    where: str,
) -> tuple[float, float]:
    """(recall, precision); both 0 where the reference has no item."""
    if not num_reference:
        return 0.0, 0.0
    recall = _official_points(recalled, num_reference, where=where) / num_reference
    if not num_candidate or not precise:
        return recall, 0.0
    return recall, _official_points(precise, num_candidate, where=where) / len(precise)


def _official_points(answers: Sequence[Sequence[str]], num_items: int, *, where: str) -> float:
    """Half a point for each right answer; the count stops only after one answer more than there are items."""
    points = 0.0
    for fields in answers[: num_items + 1]:
        if len(fields) < 2:
            raise ValueError(f"expected two fields in each answer, got {len(fields)} of image {where}")
        points += 0.5 * (fields[0].lower() == _RIGHT[0]) + 0.5 * (fields[1].lower() == _RIGHT[1])
    return points


def _strict_rates(
    num_reference: int, num_candidate: int, recalled: Sequence[Sequence[str]], precise: Sequence[Sequence[str]]
) -> tuple[float, float] | None:
    """(recall, precision); None where neither side has an item."""
    if not num_reference and not num_candidate:
        return None
    recall = _ratio(_strict_points(recalled, num_reference), num_reference)
    return recall, _ratio(_strict_points(precise, num_candidate), num_candidate)


def _strict_points(answers: Sequence[Sequence[str]], num_items: int) -> int:
    return sum(tuple(field.lower() for field in fields[:2]) == _RIGHT for fields in answers[:num_items])


def _named(name: str, rates: tuple[float, float] | None) -> dict[str, float | None]:
    """`erec`, `eprec` and `ef1` of a (recall, precision) pair."""
    if rates is None:
        return {f"{name}rec": None, f"{name}prec": None, f"{name}f1": None}
    recall, precision = rates
    total = recall + precision
    return {
        f"{name}rec": recall,
        f"{name}prec": precision,
        f"{name}f1": 2 * precision * recall / total if total else 0.0,
    }


def _ratio(count: float, total: int) -> float:
    return count / total if total else 0.0


def _overall(figures: Mapping[str, float | None]) -> float:
    return sum(weight * (figures[f"{name}f1"] or 0.0) for name, weight in zip("elarg", (1, 1, 1, 1, 0.1), strict=True))


def _averages(per_image: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Means over the images where a figure applies; `overall` of the means."""
    averages = {}
    for name in FIGURES:
        known = [value for figures in per_image.values() if (value := figures[name]) is not None]
        averages[name] = sum(known) / len(known) if known else 0.0
    return averages | {"overall": _overall(averages)}
