"""What the platform's own writer says of a scene is read back."""

import pytest

from pancap.engine.captioners.writer import write_caption
from pancap.engine.scenes.scene import render_scene
from pancap.scoring.judges.rule import RuleJudge

JUDGE = RuleJudge()
SEEDS = range(24)


@pytest.fixture(scope="module")
def contents():
    return [render_scene(seed, size_px=256).content for seed in SEEDS]


def rounded(entity):
    return tuple(round(value, 3) for value in entity.box.as_tuple())


@pytest.mark.parametrize("style", ["prose", "plain"])
def test_written_captions_are_read_back(contents, style):
    located = [0, 0]
    said = {"attributes": [], "relations": [], "globals": []}
    for seed, content in zip(SEEDS, contents, strict=True):
        read = JUDGE.extract(write_caption(content, seed=seed, style=style))
        by_box = {rounded(entity): entity.id for entity in read.entities if entity.box}
        mapping = {one.id: by_box[rounded(one)] for one in content.entities if rounded(one) in by_box}
        located[0] += len(mapping)
        located[1] += len(content.entities)
        support = JUDGE.supported(content, read, mapping)
        for kind, answers in said.items():
            answers += getattr(support, kind)
    assert located[0] >= 0.9 * located[1]
    for kind, answers in said.items():
        assert sum(answers) >= 0.9 * len(answers), kind
