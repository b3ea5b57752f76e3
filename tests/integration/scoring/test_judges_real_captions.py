"""What holds over the 500 real captions."""

import dataclasses
import itertools
import json
import time

import pytest

from pancap.scoring.judges.rule import RuleJudge

JUDGE = RuleJudge()


@pytest.fixture(scope="module")
def captions(shared_dir):
    path = shared_dir / "data" / "sapancap" / "sapancap_val_gtcaption.json"
    if not path.is_file():
        pytest.skip("needs sapancap_val_gtcaption.json")
    return [row["gt_response"] for row in json.loads(path.read_text())]


@pytest.fixture(scope="module")
def contents(captions):
    return [JUDGE.extract(caption) for caption in captions]


def shares(pairs):
    """Share of supported attributes, relations and global items over (items, other, mapping)."""
    answers = [JUDGE.supported(items, other, mapping) for items, other, mapping in pairs]
    kinds = (
        [one for answer in answers for one in getattr(answer, kind)] for kind in ("attributes", "relations", "globals")
    )
    return [sum(kind) / max(1, len(kind)) for kind in kinds]


def test_a_caption_supports_itself(contents):
    identity = [(one, one, {entity.id: entity.id for entity in one.entities}) for one in contents]
    assert min(shares(identity)) >= 0.95


def test_another_images_caption_supports_little(contents):
    crossed = []
    for one, other in itertools.pairwise(contents):
        by_tag = {entity.tag: entity.id for entity in other.entities}
        crossed.append((one, other, {entity.id: by_tag[entity.tag] for entity in one.entities if entity.tag in by_tag}))
    attributes, relations, globals_ = shares(crossed)
    assert attributes < 0.1
    assert relations < 0.1
    assert globals_ < 0.6


def test_swapping_attributes_or_relations_lowers_that_dimension_only(contents):
    identity = [{entity.id: entity.id for entity in one.entities} for one in contents]
    moved = [
        dataclasses.replace(
            one,
            attributes=tuple(
                dataclasses.replace(item, entity_id=one.entities[(item.entity_id + 1) % len(one.entities)].id)
                for item in one.attributes
            ),
        )
        for one in contents
    ]
    turned = [
        dataclasses.replace(
            one,
            relations=tuple(
                dataclasses.replace(item, subject_id=item.object_id, object_id=item.subject_id)
                for item in one.relations
            ),
        )
        for one in contents
    ]
    attributes, relations, _ = shares(zip(moved, contents, identity, strict=True))
    assert attributes < 0.5
    assert relations > 0.95
    attributes, relations, _ = shares(zip(turned, contents, identity, strict=True))
    assert attributes > 0.95
    assert relations < 0.5


def test_entities_as_many_as_the_boxes_in_the_text(captions, contents):
    """The published average is 6.9 located instances per caption."""
    located = sum(entity.box is not None for content in contents for entity in content.entities) / len(contents)
    assert 6.0 <= located <= 7.2
    assert all(content.entities for content in contents)


def test_reading_is_fast_enough(captions):
    start = time.process_time()
    for caption in captions[:100]:
        JUDGE.extract(caption)
    assert 100 / (time.process_time() - start) > 100
