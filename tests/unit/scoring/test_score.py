import json

import pytest

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.configs.errors import UsageError
from pancap.scoring.config import ScoreConfig
from pancap.scoring.encoder import NoEncoder
from pancap.scoring.judges.base import Support
from pancap.scoring.report import build_report
from pancap.scoring.score import Scorer, check_images


class LiteralJudge:
    """Supports an item where the other side has the same words about the mapped entities."""

    name = "rule-literal"
    version = "1"

    def extract(self, caption):
        tags = caption.replace(".", "").split()
        return CaptionContent(entities=tuple(Entity(id=i, tag=tag) for i, tag in enumerate(tags, 1)))

    def supported(self, items, other, mapping):
        attributes = {(a.entity_id, a.text) for a in other.attributes}
        relations = {(r.subject_id, r.object_id, r.text) for r in other.relations}
        return Support(
            attributes=tuple((mapping.get(a.entity_id), a.text) in attributes for a in items.attributes),
            relations=tuple(
                (mapping.get(r.subject_id), mapping.get(r.object_id), r.text) in relations for r in items.relations
            ),
            globals=tuple(item in other.globals for item in items.globals),
        )


def scorer(rules="strict"):
    return Scorer(judge=LiteralJudge(), encoder=NoEncoder(), rules=rules)


REFERENCE = CaptionContent(
    entities=(
        Entity(id=1, tag="dog", box=Box(0.0, 0.0, 0.5, 0.5)),
        Entity(id=2, tag="cat", box=Box(0.5, 0.5, 1.0, 1.0)),
        Entity(id=3, tag="sky"),
    ),
    attributes=(Attribute(entity_id=1, text="is red"), Attribute(entity_id=2, text="is blue")),
    relations=(Relation(subject_id=1, object_id=2, text="is behind"),),
    globals=("the mood is calm",),
)
# One tag of three right with its box, one invented entity with two attributes.
CANDIDATE = CaptionContent(
    entities=(Entity(id=5, tag="dog", box=Box(0.0, 0.0, 0.5, 0.4)), Entity(id=6, tag="spoon")),
    attributes=(
        Attribute(entity_id=5, text="is red"),
        Attribute(entity_id=6, text="is shiny"),
        Attribute(entity_id=6, text="is bent"),
    ),
)


def test_every_dimension_is_counted_over_the_items_of_its_side():
    score = scorer().score_contents(CANDIDATE, REFERENCE)
    assert (score.tag.precision, score.tag.recall) == (1 / 2, 1 / 3)
    assert (score.loc.precision, score.loc.recall) == (1.0, 1 / 2)  # over the entities that have a box
    assert (score.att.precision, score.att.recall) == (1 / 3, 1 / 2)  # an invented entity's attributes count
    assert (score.rel.f1, score.glo.f1) == (0.0, 0.0)  # only one side has items
    assert score.tag.f1 == pytest.approx(0.4)
    assert score.overall == pytest.approx(100 * (0.4 + 2 / 3 + 0.4))
    assert score.overall_without_location == pytest.approx(100 * (0.4 + 0.4))


def test_the_published_counting_asks_nothing_about_invented_entities():
    score = scorer("official").score_contents(CANDIDATE, REFERENCE)
    assert (score.att.precision, score.att.recall) == (1.0, 1 / 2)


def test_a_dimension_that_neither_side_has_is_skipped_or_0_as_published():
    bare = CaptionContent(entities=(Entity(id=1, tag="dog"),))
    strict, official = (scorer(rules).score_contents(bare, bare) for rules in ("strict", "official"))
    assert strict.loc is strict.att is strict.rel is strict.glo is None
    assert strict.overall == pytest.approx(410) and strict.overall_without_location == pytest.approx(310)
    assert official.loc.f1 == official.glo.f1 == 0.0
    assert official.overall == pytest.approx(100)


def test_a_content_against_itself_is_at_the_top():
    score = scorer().score_contents(REFERENCE, REFERENCE)
    assert score.overall == pytest.approx(410)


def test_an_empty_candidate_scores_0_and_is_counted_as_invalid():
    score = scorer().score("", "dog cat")
    assert (score.overall, score.is_valid, score.num_words) == (0.0, False, 0)
    report = report_of({"1": score, "2": scorer().score("dog", "dog")})
    assert (report.n, report.n_invalid) == (2, 1)
    assert report.dimensions["tag"].f1 == pytest.approx(0.5)


def report_of(images, bootstrap=100):
    return build_report(
        images, bootstrap=bootstrap, seed=0, references=["one two"], judge="rule v1", rules="strict", encoder="none"
    )


def test_a_report_names_what_made_it_and_is_json_and_a_table():
    images = {str(i): scorer().score_contents(CANDIDATE if i % 2 else REFERENCE, REFERENCE) for i in range(10)}
    report = report_of(images)
    as_json = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (as_json["judge"], as_json["rules"], as_json["encoder"], as_json["n"]) == ("rule v1", "strict", "none", 10)
    assert as_json["dimensions"]["tag"]["interval"]["low"] < 0.7 < as_json["dimensions"]["tag"]["interval"]["high"]
    assert as_json["overall_interval"]["low"] < report.overall < as_json["overall_interval"]["high"]
    assert report.overall == pytest.approx(sum(100 * w * report.dimensions[d].f1 for d, w in WEIGHTS.items()))
    assert report.metrics()["tag_f1"] == pytest.approx(70.0)
    table = report.render()
    assert "location" in table and f"{report.overall:.2f}" in table and "rule-based" in table
    assert json.dumps(report.images_to_dict(), allow_nan=False)


WEIGHTS = {"tag": 1.0, "loc": 1.0, "att": 1.0, "rel": 1.0, "glo": 0.1}


def test_without_bootstrap_there_are_no_intervals():
    report = report_of({"1": scorer().score("dog", "dog")}, bootstrap=0)
    assert report.overall_interval is None and report.dimensions["tag"].interval is None
    assert "scaled up" in " ".join(report.notes)


def test_unequal_image_sets_are_listed_or_left_out_when_allowed():
    candidates, references = {"a": "x", "b": "x"}, {"b": "x", "c": "x"}
    with pytest.raises(UsageError, match=r"1 without a candidate \(c\) and 1 without a reference \(a\).*allow_missing"):
        check_images(candidates, references, allow_missing=False)
    assert check_images(candidates, references, allow_missing=True) == (["b"], ("c", "a"))
    with pytest.raises(UsageError, match="no image in common"):
        check_images({"a": "x"}, {"b": "x"}, allow_missing=True)


def test_an_empty_reference_is_refused():
    with pytest.raises(UsageError, match="a reference must not be empty"):
        check_images({"a": "x"}, {"a": " "}, allow_missing=False)


def test_a_config_refuses_what_cannot_be_meant():
    with pytest.raises(UsageError, match="bootstrap must be >= 0"):
        ScoreConfig(bootstrap=-1)
    with pytest.raises(UsageError, match="encoder"):
        ScoreConfig(encoder="")
