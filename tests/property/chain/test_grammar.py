import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.grammar import AnswerGrammar, AnswerRules, read_coordinate
from pancap.chain.tokenizer import TokenIds

IDS = TokenIds(pad=0, bos=1, eos=2, image=3, box=10, newline=4, coordinates=range(11, 1012))
NUM_IDS = 1012
SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
SPANS = st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True).map(sorted)
UNIT_BOXES = st.builds(lambda x, y: (x[0], y[0], x[1], y[1]), SPANS, SPANS)
KNOWN = st.lists(UNIT_BOXES, min_size=1, max_size=5)


def write(rules: AnswerRules, *, seed: int, num_tokens: int = 60) -> list[int]:
    """An answer from random logits in which boxes are likely."""
    generator = torch.Generator().manual_seed(seed)
    grammar, ids = AnswerGrammar(rules, ids=IDS), []
    while len(ids) < num_tokens:
        logits = torch.randn(NUM_IDS, generator=generator)
        logits[IDS.box] += 2.0
        ids.append(grammar.choose(logits))
        if ids[-1] == IDS.eos:
            break
    return ids


def boxes_of(ids: list[int]) -> list[tuple[int, ...]]:
    starts = [index for index, token in enumerate(ids) if token == IDS.box and index + 4 < len(ids)]
    return [tuple(token - IDS.coordinates.start for token in ids[start + 1 : start + 5]) for start in starts]


@settings(max_examples=40)
@given(
    size=SIZES,
    seed=st.integers(0, 10**6),
    stage=st.sampled_from(["loc", "disc", "one_stage"]),
    window=st.sampled_from([0, 1, 12]),
)
def test_every_box_is_complete_ordered_and_inside_the_image(size, seed, stage, window):
    codec = BoxCodec(coordinates="tokens", width=size[0], height=size[1])
    x_min, y_min, x_max, y_max = codec.limits()
    ids = write(AnswerRules(stage=stage, limits=codec.limits(), window=window), seed=seed)
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


def test_a_peak_spread_over_neighbours_outweighs_a_single_spike():
    probabilities = torch.full((100,), 1e-6)
    probabilities[80] = 0.4
    probabilities[20:25] = torch.tensor([0.1, 0.15, 0.1, 0.15, 0.1])
    assert read_coordinate(probabilities.log(), window=0) == 80
    assert read_coordinate(probabilities.log(), window=2) == 22
