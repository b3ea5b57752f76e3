import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.decoding.grammar import AnswerGrammar, AnswerRules, box_confidence
from pancap.chain.tokenizer import TokenIds

IDS = TokenIds(pad=0, bos=1, eos=2, image=3, box=10, coordinates=range(11, 1012))
NUM_IDS = 1012
SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
SPANS = st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True).map(sorted)
UNIT_BOXES = st.builds(lambda x, y: (x[0], y[0], x[1], y[1]), SPANS, SPANS)
KNOWN = st.lists(UNIT_BOXES, min_size=1, max_size=5)


def write(rules: AnswerRules, *, seed: int, num_tokens: int = 60) -> list[int]:
    """An answer from random logits in which boxes are likely, new boxes uniformly drawn from what is allowed."""
    generator = torch.Generator().manual_seed(seed)
    grammar, ids = AnswerGrammar(rules, ids=IDS), []
    while len(ids) < num_tokens:
        logits = torch.randn(NUM_IDS, generator=generator)
        logits[IDS.box] += 2.0
        bounds, forced = grammar.bounds(), grammar.forced()
        if forced is not None:
            ids.append(forced)
        elif bounds is not None:
            ids.append(IDS.coordinates.start + int(torch.randint(bounds[0], bounds[1] + 1, (), generator=generator)))
        else:
            ids.append(grammar.choose(logits))
        grammar.advance(ids[-1], std=0.1)
        if ids[-1] == IDS.eos:
            break
    return ids


def boxes_of(ids: list[int]) -> list[tuple[int, ...]]:
    starts = [index for index, token in enumerate(ids) if token == IDS.box and index + 4 < len(ids)]
    return [tuple(token - IDS.coordinates.start for token in ids[start + 1 : start + 5]) for start in starts]


@settings(max_examples=40)
@given(size=SIZES, seed=st.integers(0, 10**6), stage=st.sampled_from(["loc", "disc", "one_stage"]))
def test_every_box_is_complete_ordered_and_inside_the_image(size, seed, stage):
    codec = BoxCodec(coordinates="tokens", width=size[0], height=size[1])
    x_min, y_min, x_max, y_max = codec.limits()
    ids = write(AnswerRules(stage=stage, limits=codec.limits()), seed=seed)
    for x1, y1, x2, y2 in boxes_of(ids):
        assert x_min <= x1 < x2 <= x_max
        assert y_min <= y1 < y2 <= y_max
    in_box = 0
    for token in ids:
        assert (token in IDS.coordinates) == (in_box > 0)
        in_box = 4 if token == IDS.box else max(in_box - 1, 0)


@settings(max_examples=40)
@given(known=KNOWN, seed=st.integers(0, 10**6))
def test_the_tag_stage_names_the_given_boxes_in_order_and_ends(known, seed):
    rules = AnswerRules(stage="tag", limits=(0, 0, 1000, 1000), known=tuple(known))
    ids = write(rules, seed=seed, num_tokens=1000)
    assert boxes_of(ids) == known
    assert ids[-1] == IDS.eos
    assert ids[0] not in (IDS.box, IDS.eos)


@settings(max_examples=40)
@given(known=KNOWN, seed=st.integers(0, 10**6))
def test_a_refining_tag_stage_writes_as_many_boxes_as_it_was_given_all_valid(known, seed):
    rules = AnswerRules(stage="tag", limits=(0, 100, 1000, 900), known=tuple(known), is_refined=True)
    ids = write(rules, seed=seed, num_tokens=1000)
    assert len(boxes_of(ids)) == len(known)
    assert ids[-1] == IDS.eos
    assert all(0 <= x1 < x2 <= 1000 and 100 <= y1 < y2 <= 900 for x1, y1, x2, y2 in boxes_of(ids))


@settings(max_examples=40)
@given(known=KNOWN, seed=st.integers(0, 10**6))
def test_the_caption_stage_writes_known_boxes_only(known, seed):
    rules = AnswerRules(stage="cap", limits=(0, 0, 1000, 1000), known=tuple(known))
    written = boxes_of(write(rules, seed=seed))
    assert set(written) <= set(known)


def test_limits_follow_the_padding():
    assert BoxCodec(coordinates="tokens", width=200, height=100).limits() == (0, 250, 1000, 750)
    assert BoxCodec(coordinates="tokens", width=1, height=1000).to_units(Box(0.0, 0.0, 1.0, 1.0))[0] < 1000


@given(box=UNIT_BOXES, stds=st.lists(st.floats(0, 0.5), min_size=4, max_size=4), doubt=st.floats(0.01, 0.5))
def test_confidence_is_a_share_that_falls_with_doubt(box, stds, doubt):
    assert 0 < box_confidence(box, stds) <= 1
    assert box_confidence(box, [std + doubt for std in stds]) < box_confidence(box, stds)


def test_a_copied_coordinate_is_forced_and_a_new_one_bounded():
    copying = AnswerGrammar(AnswerRules(stage="tag", limits=(0, 0, 9, 9), known=((1, 2, 3, 4),)), ids=IDS)
    for token in (5, IDS.box):
        assert copying.forced() is None
        copying.advance(token)
    for value in (1, 2, 3, 4):
        assert copying.forced() == IDS.coordinates.start + value
        copying.advance(copying.forced())
    placing = AnswerGrammar(AnswerRules(stage="loc", limits=(0, 0, 9, 9)), ids=IDS)
    placing.advance(IDS.box)
    expected = [(0, 8), (0, 8), (6, 9), (8, 9)]
    for value, bounds in zip((5, 7, 8, 9), expected, strict=True):
        assert placing.bounds() == bounds
        placing.advance(IDS.coordinates.start + value, std=0.01)
    assert copying.confidence == {}
    assert list(placing.confidence) == [(5, 7, 8, 9)]
