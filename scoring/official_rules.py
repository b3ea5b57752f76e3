"""The `official` matching rules: the published scripts' behaviour, number for number (see `matching.py`)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from pancap.scoring.assignment import assign, pairwise_iou
from pancap.scoring.encoder import Encoder
from pancap.scoring.wordnet import load_nouns

NO_MATCH_COST = 1e6
_EXACT_COST = -1000.0
_SYNONYM_COST = -100.0
_EMBEDDING_COST = -10.0
# In the published denominator; without it other optima are found among equal ones.
_JACCARD_EPSILON = 1e-6
_MIN_COSINE = 0.5
_MIN_IOU = 0.5

FoundPair = tuple[int, int, Literal["exact", "synonym", "embedding"], float]


def match_official(
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_boxes: np.ndarray,
    column_boxes: np.ndarray,
    encoder: Encoder,
) -> list[FoundPair]:
    """The published assignment: 1e6 for no match, so the number of pairs is maximised before their quality.

    Args:
        rows: tags of the reference, as written.
        columns: tags of the candidate, as written.
        row_boxes: (R, 4), NaN where there is none; taken as float32.
        column_boxes: (C, 4) likewise.
        encoder: similarity of tags.

    Returns:
        (row, column, tier, IoU) of each pair, by row; IoU is NaN where a box is missing.
    """
    costs_RC = np.array([[_word_cost(row, column) for column in columns] for row in rows], dtype=np.float64)
    by_words_RC = costs_RC < 0
    if not by_words_RC.all():
        cosines_RC = encoder.similarities(rows, columns)
        close_RC = ~by_words_RC & (cosines_RC >= _MIN_COSINE)
        costs_RC = np.where(close_RC, _EMBEDDING_COST * cosines_RC.astype(np.float64), costs_RC)
    costs_RC = np.where(costs_RC < 0, costs_RC, NO_MATCH_COST)
    matches_RC = costs_RC < NO_MATCH_COST
    exact_RC = costs_RC == _EXACT_COST
    with np.errstate(over="ignore"):  # 1e39 is infinite in float32
        iou_RC = pairwise_iou(row_boxes.astype(np.float32), column_boxes.astype(np.float32))
    costs_RC = costs_RC - np.where(matches_RC & (iou_RC >= _MIN_IOU), iou_RC, 0).astype(np.float64)
    found: list[FoundPair] = []
    for row, column in assign(costs_RC):
        if matches_RC[row, column]:
            by_word: Literal["synonym", "embedding"] = "synonym" if by_words_RC[row, column] else "embedding"
            found.append((row, column, "exact" if exact_RC[row, column] else by_word, float(iou_RC[row, column])))
    return found


@lru_cache(maxsize=500_000)
def _word_cost(row: str, column: str) -> float:
    """Cost of two tags by words alone; 0 where the encoder is asked."""
    if row == column:
        return _EXACT_COST
    if row in column or column in row:
        return _SYNONYM_COST
    row_names, column_names = _synonyms(row), _synonyms(column)
    shared = len(row_names & column_names)
    return _SYNONYM_COST * (shared / (len(row_names | column_names) + _JACCARD_EPSILON)) if shared else 0.0


@lru_cache(maxsize=100_000)
def _synonyms(tag: str) -> frozenset[str]:
    """Lemma names of every noun sense of every word of the tag."""
    return frozenset().union(*(load_nouns().synonyms(word) for word in tag.split()))
