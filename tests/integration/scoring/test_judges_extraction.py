"""How much of what 30 real captions say the rule-based judge extracts, against a reading by hand.

As a command it prints the table of docs/RULE_JUDGE.md, which also says when an item counts as right:

    python tests/integration/scoring/test_judges_extraction.py sapancap_val_gtcaption.json
"""

import json
import random
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.reading.words import singular, stem
from pancap.scoring.judges.rule import RuleJudge

ANNOTATIONS = Path(__file__).parent / "data" / "annotated_captions.txt"
# Images of the validation set that are test images too.
IN_BOTH_SETS = {
    "sam/sa_000000/sa_1931.jpg",
    "sam/sa_000000/sa_3902.jpg",
    "sam/sa_000000/sa_9139.jpg",
    "sam/sa_000002/sa_32538.jpg",
    "sam/sa_000003/sa_44690.jpg",
}
KINDS = ("tag", "location", "attribute", "relation", "global")
SAME = 0.65
SILENT = word_set(
    "a an the is are be of to it its his her their has have with wears wearing and or in on at that which image frame"
    " side position positioned located situated placed seen area color colored visible"
)
OWNING = {"has", "have", "part", "belong"}
LINKING = SILENT - {"in", "on", "at", "with", "has", "wears", "wearing"}


def draw(images):
    """The 30 that are measured and the 20 that may be looked at while the judge is improved."""
    drawn = random.Random("rule judge").sample(sorted(set(images) - IN_BOTH_SETS), 50)
    return drawn[:30], drawn[30:]


def read_annotations(text):
    """By image: entities (id -> tags, box number), attributes, relations and global items."""
    read = {}
    for block in text.strip().split("\n\n")[1:]:
        first, *lines = block.splitlines()
        entities, attributes, relations, globals_ = {}, [], [], []
        for line in lines:
            number, link, rest = line.partition(" ")
            if number == "*":
                globals_.append(rest)
            elif rest.startswith("> "):
                other, link = rest[2:].split(" ", 1)
                relations.append((int(number), int(other), link))
            else:
                name, _, said = rest.partition(" : ")
                tags, _, box = name.partition(" @")
                entities[int(number)] = tags.split("|"), int(box or 0)
                attributes += [(int(number), text) for text in said.split("; ") if text]
        read[first.removeprefix("image ")] = entities, attributes, relations, globals_
    return read


def boxes_in(caption):
    """The different boxes of a caption, in the order of the text."""
    groups = re.findall(r"\[\[([^\]]*)\]\]", caption)
    return list(dict.fromkeys(tuple(float(value) for value in group.split(",")) for group in groups))


def head(tag):
    return singular(tag.lower().split()[-1])


def words(text, silent=SILENT):
    found = re.findall(r"[\w-]+", text.lower())
    return frozenset(stem(word) for word in found if word not in silent) or frozenset(found)


def alike(one, other):
    """Dice coefficient of two sets of words."""
    return 2 * len(one & other) / (len(one) + len(other))


def pairs(weights):
    """The best one-to-one pairing; pairs of weight 0 are none."""
    weights = np.array(weights, dtype=float)
    if weights.size == 0:
        return []
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return [(row, column) for row, column in zip(rows, columns, strict=True) if weights[row, column] > 0]


def num_alike(found, stated):
    """How many of `found`, each (key, words), have a partner of their own in `stated`."""
    weights = [
        [value if key == other and (value := alike(one, two)) >= SAME else 0 for other, two in stated]
        for key, one in found
    ]
    return len(pairs(weights))


def linked(subject, target, text):
    """A relation as key and words; `x has y` and `y belongs to x` are `y is part of x`."""
    content = words(text, LINKING)
    if content & {"in", "on"} or not content & OWNING:
        return (subject, target), content
    is_owner_first = "part" not in content and "belong" not in content
    return ((target, subject) if is_owner_first else (subject, target)), frozenset({"part"})


def compare(caption, annotated, content):
    """For each kind: right, extracted and annotated items."""
    entities, attributes, relations, globals_ = annotated
    boxes = [None, *boxes_in(caption)]
    places = {number: boxes[box] for number, (_, box) in entities.items()}
    numbers, found = list(entities), list(content.entities)
    weights = [
        [
            2 * (one.box is not None and one.box.as_tuple() == places[number])
            + (head(one.tag) in map(head, entities[number][0]))
            for number in numbers
        ]
        for one in found
    ]
    paired = [(found[row], numbers[column]) for row, column in pairs(weights)]
    own = {one.id: number for one, number in paired}
    tags = sum(head(one.tag) in map(head, entities[number][0]) for one, number in paired)
    located = sum(one.box is not None and one.box.as_tuple() == places[number] for one, number in paired)
    said = [(own.get(item.entity_id), words(item.text)) for item in content.attributes]
    related = [linked(own.get(item.subject_id), own.get(item.object_id), item.text) for item in content.relations]
    return {
        "tag": (tags, len(found), len(entities)),
        "location": (
            located,
            sum(one.box is not None for one in found),
            sum(box is not None for box in places.values()),
        ),
        "attribute": (num_alike(said, [(one, words(text)) for one, text in attributes]), len(said), len(attributes)),
        "relation": (num_alike(related, [linked(*item) for item in relations]), len(related), len(relations)),
        "global": (
            num_alike([(0, words(text)) for text in content.globals], [(0, words(text)) for text in globals_]),
            len(content.globals),
            len(globals_),
        ),
    }


def measure(captions):
    """Right, extracted and annotated items of each kind, over the annotated captions."""
    annotated = read_annotations(ANNOTATIONS.read_text())
    judge = RuleJudge()
    counts = [compare(captions[image], one, judge.extract(captions[image])) for image, one in annotated.items()]
    return {kind: tuple(np.sum([count[kind] for count in counts], axis=0)) for kind in KINDS}


def load(path):
    return {row["image_path"]: row["gt_response"] for row in json.loads(Path(path).read_text())}


def main(path):
    captions = load(path)
    judge = RuleJudge()
    print(f"{judge.name} v{judge.version}\n{'':10} {'precision':>9} {'recall':>9} {'extracted':>9} {'annotated':>9}")
    for kind, (right, found, stated) in measure(captions).items():
        print(f"{kind:10} {right / found:9.3f} {right / stated:9.3f} {found:9} {stated:9}")
    start = time.process_time()
    for caption in captions.values():
        judge.extract(caption)
    print(f"{len(captions) / (time.process_time() - start):.0f} captions a second of one core")


@pytest.fixture(scope="module")
def captions(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs the real validation captions (data/sapancap)")
    return load(path)


@pytest.fixture(scope="module")
def measured(captions):
    return measure(captions)


@pytest.mark.parametrize(
    ("kind", "precision", "recall"),
    [
        ("tag", 0.60, 0.85),
        ("location", 0.95, 0.95),
        ("attribute", 0.47, 0.53),
        ("relation", 0.33, 0.48),
        ("global", 0.89, 0.87),
    ],
)
def test_extraction_is_not_worse_than_documented(measured, kind, precision, recall):
    right, found, stated = measured[kind]
    assert right >= precision * found
    assert right >= recall * stated


def test_the_measured_captions_are_those_that_the_seed_draws(captions):
    measured, development = draw(captions)
    assert list(read_annotations(ANNOTATIONS.read_text())) == measured
    assert not set(measured) & set(development)


if __name__ == "__main__":
    main(sys.argv[1])
