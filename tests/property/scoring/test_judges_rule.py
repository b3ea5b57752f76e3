"""The judge takes any text, answers for every item, and answers the same twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pancap.scoring.judges.rule import RuleJudge

JUDGE = RuleJudge()
SNIPPETS = """the a red car|car's|cars|[[0.1,0.2,0.3,0.4]]|[[|]]|(|)|is|are|has|with|of|and|,|.|:|**|-|not|who
that|to|it|they|holding|held|by|behind|"STOP"|in front of|lighting|mood|bright|no|another|second|two|1|wearing|leaves"""
WORDS = SNIPPETS.split("|")
captions = st.text(max_size=300) | st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)


@given(captions)
@settings(max_examples=120)
def test_any_text_is_read_and_the_same_way_twice(caption):
    """R26."""
    assert JUDGE.extract(caption) == JUDGE.extract(caption)


@given(captions)
@settings(max_examples=80)
def test_a_caption_supports_itself(caption):
    content = JUDGE.extract(caption)
    answer = JUDGE.supported(content, content, {entity.id: entity.id for entity in content.entities})
    assert all(answer.attributes)
    assert all(answer.relations)
    assert all(answer.globals)
    assert len(answer.attributes) == len(content.attributes)
