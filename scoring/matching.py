"""One-to-one matching of the entities of two captions.

Two rule sets. `official` does what the published scripts do, mistakes included, so that figures can be compared with
published ones. `strict` (the default) does what they meant. What differs, and why:

- *Substrings*. Published: a tag inside another counts as a synonym of score 1 (man / woman, ear / pear, `o` in dog),
  which inflates tagging and sends attribute questions to the wrong entity; an empty tag is inside every tag. Strict:
  whole words; an empty tag matches nothing.
- *Spelling*. Published: `DOG` is not `dog`. Strict: case, quotes, articles and the head noun's number do not count.
- *Synonyms*. Published: the Jaccard index of all senses of every word, anything above 0 matches (red car / red apple,
  through `red`; dog in apple / cloud in spoon, through `in` = indium). Strict: the whole phrase where WordNet has it,
  else its head noun, must share one of the first three senses.
- *Priority*. Published: a weak synonym (cost near 0) ranks below an embedding match, yet stops the embedding from being
  looked at, and IoU can outweigh it. Strict: tiers of 1000, 100 and 5..10 that cannot overlap; IoU adds at most 1.
- *Number before quality*. Published: no match costs 1e6, so the number of pairs is maximised first and an exact pair is
  given up if that lets two weak ones through (cup, cup handle against cup, cupboard); this raises tag recall and
  precision and misdirects the questions. Strict: no match weighs 0, the total weight is maximised.
- *Ties*. Published: IoU below 0.5 adds nothing, so repeated tags are matched in the order of the solver. Strict: IoU of
  any size, then nearness of the box centres, then the order of mention among equal tags.
- *The border*. Published: float32 IoU against 0.5 exactly, so that pairs at one half are decided by rounding. Strict:
  float64 with a tolerance of 1e-6.
- *One matching*. Published: computed three times from different copies. Strict: once, used in every dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pancap.caption.content import Entity
from pancap.scoring.encoder import Encoder
from pancap.scoring.official_rules import match_official
from pancap.scoring.strict_rules import match_strict

Rules = Literal["strict", "official"]
Tier = Literal["exact", "synonym", "embedding"]

IOU_THRESHOLD = 0.5
STRICT_IOU_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPair:
    """One entity of the candidate and the entity of the reference that it stands for.

    Args:
        candidate_id: id in the candidate's content.
        reference_id: id in the reference's content.
        tier: what made the tags match.
        iou: overlap of the boxes; None where either has none.
        is_located: both have boxes and they overlap by half or more.
    """

    candidate_id: int
    reference_id: int
    tier: Tier
    iou: float | None
    is_located: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """All pairs of two captions, in the order of the reference's entities."""

    pairs: tuple[MatchedPair, ...]

    def candidate_to_reference(self) -> dict[int, int]:
        """Reference id of each matched candidate id."""
        return {pair.candidate_id: pair.reference_id for pair in self.pairs}

    def reference_to_candidate(self) -> dict[int, int]:
        """Candidate id of each matched reference id."""
        return {pair.reference_id: pair.candidate_id for pair in self.pairs}

    @property
    def num_located(self) -> int:
        """Pairs whose boxes overlap by half or more."""
        return sum(pair.is_located for pair in self.pairs)


def match_entities(
    candidate: Sequence[Entity], reference: Sequence[Entity], *, rules: Rules = "strict", encoder: Encoder
) -> Matching:
    """Pairs the entities of two captions, each at most once.

    Args:
        candidate: entities of the caption that is scored.
        reference: entities of the caption that it is scored against.
        rules: see the module's table.
        encoder: similarity of tags that are neither equal nor synonyms; `NoEncoder()` for none.

    Example:
        >>> from pancap.scoring.encoder import NoEncoder
        >>> ours = [Entity(id=1, tag="sofa"), Entity(id=2, tag="cat")]
        >>> theirs = [Entity(id=7, tag="couches"), Entity(id=8, tag="lamp")]
        >>> match_entities(ours, theirs, encoder=NoEncoder()).candidate_to_reference()
        {1: 7}
    """
    if not candidate or not reference:
        return Matching(pairs=())
    match = match_official if rules == "official" else match_strict
    rows = [entity.tag for entity in reference]
    columns = [entity.tag for entity in candidate]
    boxes = boxes_array(reference), boxes_array(candidate)
    found = match(rows, columns, row_boxes=boxes[0], column_boxes=boxes[1], encoder=encoder)
    threshold = IOU_THRESHOLD if rules == "official" else IOU_THRESHOLD - STRICT_IOU_TOLERANCE
    pairs = []
    for row, column, tier, iou in found:
        has_boxes = reference[row].box is not None and candidate[column].box is not None
        pairs.append(
            MatchedPair(
                candidate_id=candidate[column].id,
                reference_id=reference[row].id,
                tier=tier,
                iou=iou if has_boxes else None,
                is_located=has_boxes and iou >= threshold,
            )
        )
    return Matching(pairs=tuple(pairs))


def boxes_array(entities: Sequence[Entity]) -> np.ndarray:
    """Boxes as float64 of shape (N, 4), NaN where an entity has none."""
    rows = [entity.box.as_tuple() if entity.box else (np.nan,) * 4 for entity in entities]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
