"""Drafts: what they offer, and that answers don't depend on them."""

from dataclasses import replace
from random import Random

import pytest

from pancap.caption.boxes import Box
from pancap.chain.backends.base import Question
from pancap.chain.backends.transformers import TransformersBackend
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding import answers
from pancap.chain.decoding.drafts import LOOKUP_DRAFT, NGRAM_ROOM, BoxDrafts, Drafter, RepeatDrafts, Speller
from pancap.chain.stages import STAGES_OF_MODE, ChainState, build_answer
from pancap.chain.tokenizer import encode

BOXES = (Box(0.1, 0.2, 0.345, 0.4), Box(0.5, 0.06, 0.75, 0.9), Box(0.007, 0.2, 0.5, 0.999))
STATE = ChainState(
    boxes=BOXES,
    instances=tuple(Instance(tag=tag, box=box) for tag, box in zip(("square", "red square", "is"), BOXES, strict=True)),
)
CAPTION = "A square [[0.100, 0.200, 0.345, 0.400]] is behind a red square [[0.500, 0.060, 0.750, 0.900]]."
FORMS = ["tokens", "text"]


def rules_of(checkpoint, stage, *, ngram=0):
    backend = TransformersBackend(checkpoint, decoding=DecodingConfig(draft_ngram=ngram, enable_drafts=True))
    return backend._drafts(stage, STATE, codec=BoxCodec(coordinates=checkpoint.meta.coordinates))


def replay(script, drafter):
    """Forward passes, the prompt's included, to write the script; and the drafts that were right."""
    place, accepted, num_steps = 0, [], 0
    while place < len(script):
        draft = drafter.propose()
        fits = [left == right for left, right in zip(draft, script[place:], strict=False)]
        num_right = fits.index(False) if False in fits else len(fits)
        accepted.append(num_right)
        for token in script[place : place + num_right + 1]:
            drafter.advance(token)
        place += num_right + 1
        num_steps += 1
    return num_steps, accepted


@pytest.fixture(params=FORMS)
def checkpoint(request):
    return request.getfixturevalue(f"{request.param.removesuffix('s')}_checkpoint")


def script_of(checkpoint, stage):
    codec = BoxCodec(coordinates=checkpoint.meta.coordinates)
    answer = build_answer(stage, codec=codec, boxes=BOXES, instances=STATE.instances, caption=CAPTION)
    return [*encode(checkpoint.tokenizer, answer), checkpoint.tokenizer.eos_token_id]


def test_a_box_costs_its_numbers_alone_where_it_is_new(checkpoint):
    """Three digits a number of the text form are certain to need a step each; 7, 60 and 6 are shorter."""
    num_numbers = {"tokens": 4 * 3, "text": 3 * 12}[checkpoint.meta.coordinates]
    script = script_of(checkpoint, "loc")
    num_steps, _ = replay(script, BoxDrafts(rules_of(checkpoint, "loc")))
    assert num_numbers - 4 <= num_steps <= num_numbers + 2 < len(script)


def test_the_tag_stage_costs_its_tags_alone(checkpoint):
    tags = [f"a {item.tag}" for item in STATE.instances]
    num_tag_tokens = sum(len(encode(checkpoint.tokenizer, tag)) - 1 for tag in tags)
    num_steps, _ = replay(script_of(checkpoint, "tag"), BoxDrafts(rules_of(checkpoint, "tag")))
    assert num_steps <= num_tag_tokens + len(tags)
    assert num_steps < len(script_of(checkpoint, "tag")) / 2


def test_a_caption_is_offered_the_box_of_the_tag_that_it_just_wrote(checkpoint):
    rules = rules_of(checkpoint, "cap")
    drafter = BoxDrafts(rules)
    for token in encode(checkpoint.tokenizer, "A red square"):
        drafter.advance(token)
    assert drafter.propose() == rules.spelling.opening + rules.known[1].box + rules.spelling.closing
    _, accepted = replay(script_of(checkpoint, "cap"), BoxDrafts(rules))
    assert sum(count >= len(rules.spelling.opening + rules.known[0].box) for count in accepted) == 2


def test_a_box_that_was_written_gives_way_to_one_of_the_same_tag(checkpoint):
    rules = rules_of(checkpoint, "cap")
    rules = replace(rules, known=tuple(replace(known, tag=rules.known[0].tag) for known in rules.known))
    drafter, offered = BoxDrafts(rules), []
    for _ in rules.known:
        for token in (*rules.known[0].tag, *rules.spelling.opening):
            drafter.advance(token)
        offered.append(drafter.propose())
        for token in offered[-1]:
            drafter.advance(token)
    assert offered == [known.box + rules.spelling.closing for known in rules.known]


def test_nothing_to_discover_costs_no_step(checkpoint):
    script = [*encode(checkpoint.tokenizer, "None"), checkpoint.tokenizer.eos_token_id]
    assert replay(script, BoxDrafts(rules_of(checkpoint, "disc")))[0] == 1


def test_the_last_run_of_the_same_tokens_says_what_follows():
    drafts = RepeatDrafts([1, 2, 3, 9, 2, 3], longest=3)
    assert drafts.propose() == (9, 2, 3)
    drafts.advance(4)
    assert drafts.propose() == ()
    for token in (2, 3):
        drafts.advance(token)
    assert drafts.propose() == (4, 2, 3)


def test_the_first_match_of_two_tokens_is_transformers_prompt_lookup():
    """The peer that `pancap bench chain` counts, without its tensors."""
    import torch
    from transformers.generation.candidate_generator import PromptLookupCandidateGenerator

    rng = Random(0)
    ids = [rng.randrange(6) for _ in range(12)]
    theirs = PromptLookupCandidateGenerator(num_output_tokens=10, max_length=1000)
    ours = RepeatDrafts(ids, longest=2, num_offered=LOOKUP_DRAFT, match="first")
    for _ in range(60):
        candidates, _ = theirs.get_candidates(torch.tensor([ids]))
        assert ours.propose() == tuple(candidates[0, len(ids) :].tolist())
        ids.append(rng.randrange(12))
        ours.advance(ids[-1])


def test_with_many_answers_under_way_repeated_runs_are_not_offered(checkpoint):
    """At 32 images they cost more than the steps that they saved: few of a run's tokens are right."""
    drafter = Drafter(rules_of(checkpoint, "cap", ngram=3), prompt_ids=[5, 6, 7, 5, 6])
    assert drafter.propose(room=NGRAM_ROOM) == (7, 5, 6)
    assert drafter.propose(room=NGRAM_ROOM - 1) == ()
    for token in encode(checkpoint.tokenizer, "A red square"):
        drafter.advance(token)
    whole = drafter.propose()
    assert drafter.propose(room=3) == whole[:3] and len(whole) > 3


def test_a_tokenizer_that_glues_digits_is_refused_in_words():
    with pytest.raises(ValueError, match=r"one token, got .* set decoding\.enable_drafts=false"):
        Speller(lambda text: [hash(word) for word in text.split("]], ")], stage="tag", coordinates="text")


class Recorded(TransformersBackend):
    """Keeps what was decoded, and tells right before an answer begins what is asked."""

    def __init__(self, checkpoint, *, on_ask, **settings):
        super().__init__(checkpoint, **settings)
        self.on_ask, self.decoded = on_ask, []

    def _branch(self, question, *, codec):
        self.on_ask(question.image, question.stage)
        return super()._branch(question, codec=codec)

    def _answer(self, decoded, *, codec):
        self.decoded.append(decoded)
        return super()._answer(decoded, codec=codec)


def decode_all(checkpoint, pictures, config, *, on_ask=lambda image, stage: None):
    """What every stage writes about every picture, three pictures under way: {(image, stage): answer}."""
    config = replace(config, repeat_window=6, draft_step_tokens=300)
    backend = Recorded(checkpoint, decoding=config, batch_size=3, on_ask=on_ask)
    stages = STAGES_OF_MODE["chain"]
    found = {}

    def ask(image, stage):
        return Question(image=image, stage=stage, state=STATE)

    def follow(image, answer):
        done = [stage for stage in stages if (image, stage) in found]
        found[image, stages[len(done)]] = backend.decoded[-1]
        left = stages[len(done) + 1 :]
        return ask(image, left[0]) if left else None

    openings = ((picture, ask(image, stages[0])) for image, picture in enumerate(pictures))
    places = list(backend.converse(openings, follow=follow))
    assert sorted(places) == sorted(image for image, _ in found)
    assert backend.num_images_encoded == len(pictures)
    return dict(sorted(found.items()))


def limited(max_new_tokens, **settings):
    limits = {f"max_new_tokens_{stage}": max_new_tokens for stage in ("loc", "tag", "disc", "cap")}
    return DecodingConfig(**limits, **settings)


@pytest.fixture(params=["free", "ruled"])
def config(request, checkpoint, begins_boxes):
    """Without rules, and with them where they matter: the model begins many boxes, and spoils them."""
    if request.param == "free":
        yield limited(70, enable_constraints=False)
    else:
        with begins_boxes(checkpoint):
            yield limited(70, enable_constraints=True)


@pytest.mark.parametrize("ngram", [0, 3])
def test_answers_are_the_same_with_drafts_and_without(checkpoint, pictures, config, ngram):
    with_drafts = decode_all(checkpoint, pictures, replace(config, draft_ngram=ngram))
    without = decode_all(checkpoint, pictures, replace(config, enable_drafts=False))
    assert_alike(with_drafts, without)
    for key, one in with_drafts.items():
        assert one.num_steps <= without[key].num_steps
        assert len(without[key].ids) - 1 <= without[key].num_steps


def assert_alike(answers, others):
    """The same tokens, and boxes as sure as floating point allows."""
    assert {key: answer.ids for key, answer in answers.items()} == {key: other.ids for key, other in others.items()}
    for key, answer in answers.items():
        assert answer.confidence == pytest.approx(others[key].confidence, abs=1e-4)


class Foreseen:
    """Drafts that hold the right tokens for a while, and then wrong ones; not in all rows at once."""

    def __init__(self, rules, *, prompt_ids):
        self.answer, self.rng = self.coming, Random(0)
        self.place = 0

    def advance(self, token):
        self.place += 1

    def propose(self, *, room):
        num_right, num_wrong = self.rng.randrange(12), self.rng.randrange(3)
        return (*self.answer[self.place : self.place + num_right], *[7] * num_wrong)


def test_rows_go_on_from_wherever_their_draft_stops_to_be_right(checkpoint, pictures, config, monkeypatch):
    """Random weights write nothing that drafts foresee, so the drafts are made of what was written without them."""
    long = limited(160, enable_constraints=config.enable_constraints)  # the text form outgrows the buffers
    without = decode_all(checkpoint, pictures, replace(long, enable_drafts=False))
    end = [checkpoint.tokenizer.eos_token_id]

    def foresee(image, stage):
        monkeypatch.setattr(Foreseen, "coming", without[image, stage].ids + end, raising=False)

    monkeypatch.setattr(answers, "Drafter", Foreseen)
    with_drafts = decode_all(checkpoint, pictures, long, on_ask=foresee)
    assert_alike(with_drafts, without)
    in_loops = sum(max(0, other.num_steps - len(other.ids)) for other in without.values())  # cut off, so never foreseen
    num_without, num_with = (sum(a.num_steps for a in found.values()) - in_loops for found in (without, with_drafts))
    assert 4 * num_with < num_without
    assert len({tuple(answer.ids) for answer in without.values()}) > len(pictures)


def test_drafting_goes_on_where_the_answer_leaves_the_draft(checkpoint):
    """A drafter only guesses: whatever is written, it must follow."""
    for stage in STAGES_OF_MODE["chain"]:
        drafter = Drafter(rules_of(checkpoint, stage, ngram=2), prompt_ids=[5, 6, 7])
        for token in [*range(30), *script_of(checkpoint, stage)[::-1]] * 2:
            assert all(isinstance(guess, int) for guess in drafter.propose())
            drafter.advance(token)
