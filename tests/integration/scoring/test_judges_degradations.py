"""Real captions made worse on purpose, more and more: with the rule-based judge the right dimension falls.

As a command it prints the table of docs/RULE_JUDGE.md:

    python tests/integration/scoring/test_judges_degradations.py sapancap_val_gtcaption.json
"""

import json
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from pancap.scoring.encoder import NoEncoder
from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.rule import RuleJudge
from pancap.scoring.results import DIMENSIONS
from pancap.scoring.score import Scorer

NUM_CAPTIONS = 40
BOX = re.compile(r"\[\[[^\]]*\]\]")
NAMED_BOX = re.compile(r"(?i)\b(?:an?|the|another)(?: [a-z-]+){0,3} ([a-z]+) \(?(\[\[[^\]]*\]\])")
FRAME = word_set(
    "image frame picture scene side box at of from by right left top bottom center middle background area position"
    " corner space one portion region"
)
WHOLE = re.compile(r"(?i)\b(?:lighting|lit|mood|weather|atmosphere|daytime)\b")
SENTENCE_END = re.compile(r"((?<=[.!?])\s+(?=\W*[A-Z])|\n+)")
# Words of one class can stand in each other's place.
CLASSES = (
    "red orange yellow green blue purple pink brown black white gray grey",
    "small large tall short long thin thick round square rectangular",
)
OPPOSITES = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
    "behind": "in front of",
    "in front of": "behind",
    "on top of": "underneath",
    "beneath": "on top of",
    "under": "on top of",
}
RELATION = re.compile(r"\b(" + "|".join(OPPOSITES) + r")\b(?! the (?:image|frame|picture|photo|scene))")


def sentences(caption):
    """The sentences with the space or line break after each."""
    parts = [*SENTENCE_END.split(caption), ""]
    return [one + end for one, end in zip(parts[::2], parts[1::2], strict=True)]


def draw(items, amount, rng):
    """So many of them, the first ones whatever the amount."""
    if len(items) < amount:
        raise ValueError(f"expected {amount} items, got {len(items)}")
    return rng.sample(items, len(items))[:amount]


def drop_entities(caption, amount, rng):
    """Leaves out every sentence that names one of `amount` entities, but for those on light and mood."""
    named = {box: noun for noun, box in NAMED_BOX.findall(caption) if noun not in FRAME}
    gone = draw(list(named), amount, rng)
    names = re.compile("|".join([*map(re.escape, gone), *(rf"\b{named[box]}\b" for box in gone)]), re.IGNORECASE)
    return "".join(one for one in sentences(caption) if not names.search(one) or WHOLE.search(one))


def swap_attributes(caption, amount, rng):
    """Exchanges `amount` pairs of colours, sizes or shapes."""
    pairs = []
    for words in CLASSES:
        places = list(re.finditer(r"\b(?:" + words.replace(" ", "|") + r")\b", caption))
        rng.shuffle(places)
        pairs += [pair for pair in zip(places[::2], places[1::2], strict=False) if pair[0][0] != pair[1][0]]
    new = {}
    for one, other in draw(pairs, amount, rng):
        new[one.span()], new[other.span()] = other[0], one[0]
    return _replace(caption, new)


def swap_relations(caption, amount, rng):
    """Turns `amount` places into their opposites."""
    places = draw(list(RELATION.finditer(caption)), amount, rng)
    return _replace(caption, {place.span(): OPPOSITES[place[0]] for place in places})


def jitter_boxes(caption, amount, rng):
    """Moves every box inside the image, by up to `amount` of its width and height, either way."""
    moved = {}
    for box in BOX.findall(caption):
        if box not in moved:
            x1, y1, x2, y2 = (float(value) for value in box.strip("[]").split(","))
            left = min(max(x1 + rng.uniform(-amount, amount) * (x2 - x1), 0), 1 - (x2 - x1))
            top = min(max(y1 + rng.uniform(-amount, amount) * (y2 - y1), 0), 1 - (y2 - y1))
            moved[box] = f"[[{left:.3f}, {top:.3f}, {left + x2 - x1:.3f}, {top + y2 - y1:.3f}]]"
    return BOX.sub(lambda match: moved[match[0]], caption)


def cut_text(caption, amount, rng):
    """Leaves out the last `amount` of the sentences."""
    found = sentences(caption)
    return "".join(found[: max(1, round(len(found) * (1 - amount)))])


def _replace(text, new):
    for (start, end), word in sorted(new.items(), reverse=True):
        text = text[:start] + word + text[end:]
    return text


STRENGTHS = {
    drop_entities: (1, 2, 4),
    swap_attributes: (1, 2, 3),
    swap_relations: (1, 2, 3),
    jitter_boxes: (0.25, 0.5, 1.0),
    cut_text: (0.25, 0.5, 0.75),
}


def degraded(captions, degrade):
    """Captions that allow the strongest form, each with its forms; a weaker form's changes are in the stronger too."""
    found = []
    for image, caption in sorted(captions.items()):
        try:
            forms = [degrade(caption, amount, random.Random(image)) for amount in STRENGTHS[degrade]]
        except ValueError:
            continue
        found.append([caption, *forms])
        if len(found) == NUM_CAPTIONS:
            return found
    raise AssertionError(f"only {len(found)} captions allow {degrade.__name__}")


def measure(captions, degrade):
    """By dimension: precision, recall and F1 the caption itself and for each strength, means."""
    judge = RuleJudge()
    scorer = Scorer(judge=judge, encoder=NoEncoder())
    figures = {name: [] for name in DIMENSIONS}
    for forms in degraded(captions, degrade):
        contents = [judge.extract(form) for form in forms]
        scores = [scorer.score_contents(content, contents[0]) for content in contents]
        for name in DIMENSIONS:
            found = [score.dimension(name) for score in scores]
            if found[0] is not None:
                figures[name].append([(one.precision, one.recall, one.f1) for one in found])
    return {name: np.mean(values, axis=0) for name, values in figures.items()}


def load(path):
    return {row["image_path"]: row["gt_response"] for row in json.loads(Path(path).read_text())}


def main(path):
    captions = load(path)
    print(f"rule v{RuleJudge.version}, {NUM_CAPTIONS} captions each, F1 in percent\n")
    for degrade, strengths in STRENGTHS.items():
        print(f"{degrade.__name__:16}" + "".join(f"{strength:>8}" for strength in (0, *strengths)))
        for name, values in measure(captions, degrade).items():
            print(f"  {name:14}" + "".join(f"{100 * f1:8.1f}" for *_, f1 in values))


@pytest.fixture(scope="module")
def captions(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    return load(path)


PRECISION, RECALL, F1 = 0, 1, 2


def falls(values, figure=F1, by=0.0):
    """Whether a figure falls with every step, and by at least so much in all."""
    column = values[:, figure]
    return bool((np.diff(column) < 0).all()) and column[0] - column[-1] >= by


def stays(values, figure=F1, within=0.03):
    return bool((np.abs(values[:, figure] - values[0, figure]) <= within).all())


def test_dropped_entities_lower_tag_and_location_recall(captions):
    figures = measure(captions, drop_entities)
    assert falls(figures["tag"], RECALL, by=0.2)
    assert falls(figures["loc"], RECALL, by=0.2)
    assert stays(figures["tag"], PRECISION, within=0.1)
    assert stays(figures["glo"], within=0.06)


def test_swapped_attributes_lower_attributes(captions):
    figures = measure(captions, swap_attributes)
    assert falls(figures["att"], by=0.1)
    assert all(stays(figures[name]) for name in ("tag", "loc", "rel", "glo"))


def test_swapped_relations_lower_relations(captions):
    figures = measure(captions, swap_relations)
    assert falls(figures["rel"], by=0.1)
    assert all(stays(figures[name]) for name in ("tag", "loc", "att", "glo"))


def test_moved_boxes_lower_location(captions):
    figures = measure(captions, jitter_boxes)
    assert falls(figures["loc"], by=0.5)
    assert all(stays(figures[name]) for name in ("tag", "att", "rel", "glo"))


def test_a_cut_text_loses_recall_in_every_dimension_and_little_precision(captions):
    figures = measure(captions, cut_text)
    for name in DIMENSIONS:
        assert falls(figures[name], RECALL, by=0.3), name
    assert all(figures[name][:, PRECISION].min() > 0.9 for name in ("tag", "loc", "att"))


if __name__ == "__main__":
    main(sys.argv[1])
