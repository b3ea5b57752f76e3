"""The `strict` matching rules: what makes two tags the same thing (see `matching.py` for the reasons)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from pancap.scoring.assignment import assign, pairwise_iou
from pancap.scoring.encoder import Encoder
from pancap.scoring.wordnet import load_nouns

# Each tier starts above the best of the next (IoU and tie-breaks add at most 1.02), and one exact pair is worth more
# than nine synonyms: a pair of a higher tier is not given up for a few of a lower one.
EXACT_WEIGHT = 1000.0
SYNONYM_WEIGHT = 100.0
EMBEDDING_WEIGHT = 10.0
MIN_COSINE = 0.5

_IOU_WEIGHT = 1.0
_NEARNESS_WEIGHT = 0.01
_ORDER_WEIGHT = 1e-6
# WordNet lists senses by frequency; beyond the third they are rare (in = indium) and match nearly everything.
_NUM_SENSES = 3
_ARTICLES = {"a", "an", "the", "some", "this", "that", "these", "those"}
_QUOTES = "\"'`“”‘’"

FoundPair = tuple[int, int, Literal["exact", "synonym", "embedding"], float]


def match_strict(
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_boxes: np.ndarray,
    column_boxes: np.ndarray,
    encoder: Encoder,
) -> list[FoundPair]:
    """Maximum-weight matching of tags.

    Args:
        rows: tags of the reference.
        columns: tags of the candidate.
        row_boxes: (R, 4) float64, NaN where there is none.
        column_boxes: (C, 4) likewise.
        encoder: similarity of tags of different words.

    Returns:
        (row, column, tier, IoU) of each pair, by row.
    """
    row_keys = [normalize_tag(tag) for tag in rows]
    column_keys = [normalize_tag(tag) for tag in columns]
    tiers_RC = np.array([[_word_tier(row, column) for column in column_keys] for row in row_keys])
    weights_RC = tiers_RC.astype(np.float64)
    weights_RC += _embedding_weights(row_keys, column_keys, open_RC=tiers_RC == 0, encoder=encoder)
    iou_RC = np.nan_to_num(pairwise_iou(row_boxes, column_boxes), nan=0.0)
    ties_RC = _IOU_WEIGHT * iou_RC + _NEARNESS_WEIGHT * _nearness(row_boxes, column_boxes)
    ties_RC += _ORDER_WEIGHT * _same_order(row_keys, column_keys)
    matches_RC = weights_RC > 0
    chosen = assign(-np.where(matches_RC, weights_RC + ties_RC, 0.0))
    return [
        (row, column, _tier_name(tiers_RC[row, column]), float(iou_RC[row, column]))
        for row, column in chosen
        if matches_RC[row, column]
    ]


def phrases_to_encode(rows: Sequence[str], columns: Sequence[str]) -> set[str]:
    """The phrases of a pair whose similarity matching will ask for."""
    row_keys = {normalize_tag(tag) for tag in rows}
    column_keys = {normalize_tag(tag) for tag in columns}
    open_pairs = [(row, column) for row in row_keys for column in column_keys if not _word_tier(row, column)]
    return {phrase for pair in open_pairs for phrase in pair}


@lru_cache(maxsize=100_000)
def normalize_tag(tag: str) -> str:
    """What two spellings of one tag share: lower case, single spaces, no quotes, no article, head noun in the singular.

    Example:
        >>> normalize_tag('The  "Street Lamps"')
        'street lamp'
    """
    words = tag.casefold().replace("_", " ").translate({ord(quote): None for quote in _QUOTES}).split()
    while len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    head = _head_index(words)
    if head is not None:
        words[head] = _singular(words[head])
    return " ".join(words)


@lru_cache(maxsize=500_000)
def _word_tier(first: str, second: str) -> float:
    """Weight of the tier in which two normalized tags match by words alone, else 0."""
    if not first or not second:
        return 0.0
    if first == second:
        return EXACT_WEIGHT
    first_head, second_head = _head_noun(first), _head_noun(second)
    # Nouns that WordNet lacks: the bare one stands for its modified form ("drone" for "camera drone").
    if first_head == second_head and (first == first_head or second == second_head):
        return SYNONYM_WEIGHT
    return SYNONYM_WEIGHT if _senses(first) & _senses(second) else 0.0


@lru_cache(maxsize=100_000)
def _senses(phrase: str) -> frozenset[int]:
    """The first senses of the whole phrase where WordNet has it, else of its head noun."""
    nouns = load_nouns()
    whole = nouns.senses(phrase.replace(" ", "_"))
    return frozenset((whole or nouns.senses(_head_noun(phrase)))[:_NUM_SENSES])


def _head_index(words: Sequence[str]) -> int | None:
    """Position of the head noun: the last word before the first "of", else the last word."""
    if not words:
        return None
    return words.index("of") - 1 if "of" in words[1:] and words[0] != "of" else len(words) - 1


@lru_cache(maxsize=100_000)
def _head_noun(phrase: str) -> str:
    words = phrase.split(" ")
    index = _head_index(words)
    return words[index] if index is not None else ""


def _singular(word: str) -> str:
    """The word itself where it is a noun of its own (glass, bus), else its first base form."""
    forms = load_nouns().base_forms(word)
    return word if not forms or word in forms else forms[0]


def _embedding_weights(
    rows: Sequence[str], columns: Sequence[str], *, open_RC: np.ndarray, encoder: Encoder
) -> np.ndarray:
    """10 x cosine where it reaches the threshold, for the pairs that no word tier took."""
    need_rows = np.flatnonzero(open_RC.any(axis=1))
    need_columns = np.flatnonzero(open_RC.any(axis=0))
    weights_RC = np.zeros(open_RC.shape)
    if need_rows.size and need_columns.size:
        cosines = encoder.similarities([rows[i] for i in need_rows], [columns[i] for i in need_columns])
        weights_RC[np.ix_(need_rows, need_columns)] = np.where(cosines >= MIN_COSINE, EMBEDDING_WEIGHT * cosines, 0.0)
    has_words = np.outer([bool(row) for row in rows], [bool(column) for column in columns])
    return np.where(open_RC & has_words, weights_RC, 0.0)


def _nearness(row_boxes: np.ndarray, column_boxes: np.ndarray) -> np.ndarray:
    """1 where the centres of two boxes coincide, 0 at opposite corners or where a box is missing."""
    row_centers = (row_boxes[:, None, :2] + row_boxes[:, None, 2:]) / 2
    column_centers = (column_boxes[None, :, :2] + column_boxes[None, :, 2:]) / 2
    distance_RC = np.sqrt(((row_centers - column_centers) ** 2).sum(axis=2))
    return np.nan_to_num(1.0 - distance_RC / np.sqrt(2.0), nan=0.0)


def _same_order(rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """1 where both are the n-th mention of their tag, less the further the two ranks are apart."""
    distance_RC = np.abs(_ranks(rows)[:, None] - _ranks(columns)[None, :])
    return 1.0 / (1.0 + distance_RC)


def _ranks(tags: Sequence[str]) -> np.ndarray:
    seen: dict[str, int] = {}
    ranks = []
    for tag in tags:
        ranks.append(seen.get(tag, 0))
        seen[tag] = ranks[-1] + 1
    return np.array(ranks, dtype=np.float64)


def _tier_name(weight: float) -> Literal["exact", "synonym", "embedding"]:
    if weight == EXACT_WEIGHT:
        return "exact"
    return "synonym" if weight == SYNONYM_WEIGHT else "embedding"
