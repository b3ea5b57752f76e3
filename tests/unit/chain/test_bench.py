"""`pancap bench chain` in small."""

import json
from dataclasses import replace
from random import Random

import pytest

from pancap.chain.bench import chain, loops, speed
from pancap.chain.bench.chain import ChainBenchConfig, bench_chain
from pancap.chain.bench.replay import (
    Scripter,
    count_steps,
    read_captioned,
    run_away,
    stop_early,
    with_coordinate_tokens,
)
from pancap.chain.bench.speed import AGAIN, NO_DRAFTS, PLAIN, bench_speed
from pancap.chain.config import DecodingConfig, ModelConfig
from pancap.chain.tokenizer import train_tokenizer
from pancap.configs import UsageError
from pancap.platform.commands.bench import run_chain

CAPTIONS = {
    "a.jpg": "A red car [[0.100, 0.500, 0.400, 0.900]] is parked. A red car is to the left of a tree "
    "[[0.600, 0.200, 0.900, 0.800]] and of a blue sign [[0.010, 0.020, 0.100, 0.200]]. The tree is tall.",
    "b.jpg": "Two dogs [[0.111, 0.222, 0.333, 0.444]] sleep on a rug [[0.000, 0.400, 1.000, 0.999]]. It is calm.",
    "c.jpg": "Nothing has a box here.",
}


class Characters:
    """A tokenizer of single characters, so that a test can count by hand."""

    def encode(self, text):
        return [ord(character) for character in text]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def eos_id(self):
        return 0

    def vocab_size(self):
        return 1000


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps([{"image_path": name, "gt_response": text} for name, text in CAPTIONS.items()]))
    return path


@pytest.fixture
def characters(monkeypatch):
    monkeypatch.setattr(chain, "load_sentencepiece", lambda path: ("characters", Characters()))
    return Characters()


@pytest.fixture
def scripter(characters):
    return Scripter(characters.encode, eos=0, coordinates="text", seed=0)


class Silent:
    def advance(self, token):
        pass

    def propose(self):
        return ()


class Knowing(Silent):
    """Foresees everything, at most so many tokens a step."""

    def __init__(self, answer_ids, width):
        self.answer_ids, self.width, self.place = answer_ids, width, 0

    def advance(self, token):
        self.place += 1

    def propose(self):
        return tuple(self.answer_ids[self.place : self.place + self.width])


def test_a_step_writes_the_right_tokens_of_its_draft_and_one_more():
    answer = list(range(10))
    assert count_steps(answer, Silent()) == 9  # the prompt's pass writes the first
    assert count_steps(answer, Knowing(answer, 1)) == 4
    assert count_steps(answer, Knowing(answer, 4)) == 1
    assert count_steps(answer, Knowing(answer, 99)) == 0


def test_images_are_what_their_captions_tell(captions):
    images = read_captioned(captions)
    assert [image.image_id for image in images] == ["a.jpg", "b.jpg"]
    assert [instance.tag for instance in images[0].instances] == ["red car", "tree", "blue sign"]


@pytest.mark.parametrize("text", ["", "[1]", "{}", '[{"image_path": "a"}]'])
def test_other_files_are_refused_in_one_sentence(text, tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_captioned(path)
    assert "\n" not in str(caught.value)


def test_schemes_are_counted_over_the_same_answers(captions, characters):
    found = bench_chain(ChainBenchConfig(captions=str(captions), rounds=0))
    steps = {scheme: sum(row.values()) for scheme, row in found.steps.items()}
    lengths = [
        len(example.answer)
        for image in read_captioned(captions)
        for example in Scripter(characters.encode, eos=0, coordinates="text", seed=0).examples(image)
    ]
    assert steps["published loop"] == sum(lengths) / 2
    assert steps["drafts, n-grams"] < steps["drafts"] < steps["published loop"] / 2
    assert steps["transformers' prompt lookup"] < steps["published loop"]
    assert steps["coordinate tokens, drafts"] < steps["coordinate tokens"] < steps["published loop"]
    assert found.steps["published loop"]["tag"] > 2 * found.steps["drafts"]["tag"]


def test_the_command_prints_a_table_and_one_json_line_last(captions, characters, capsys):
    run_chain(overrides=[f"captions={captions}", "rounds=0"], as_json=False)
    *table, last = capsys.readouterr().out.splitlines()
    record = json.loads(last)
    assert record["num_images"] == 2
    assert set(record["steps_per_image"]) == set(chain.SCHEMES)
    assert list(record["steps_per_image"]["drafts"]) == ["loc", "tag", "disc", "cap", "all"]
    assert any("published loop" in line for line in table)
    run_chain(overrides=[f"captions={captions}", "rounds=0"], as_json=True)
    assert json.loads(capsys.readouterr().out) == record


def test_a_box_is_five_coordinate_tokens_whatever_stands_around_it():
    encode = with_coordinate_tokens(Characters().encode, first=5000)
    box = [5000, 5002, 5003, 5004, 6001]
    assert encode("A<box><c1><c2><c3><c1000>.") == [ord("A"), *box, ord(".")]
    assert encode("<box><c1><c2><c3><c1000>") == box


@pytest.mark.parametrize("stage", ["loc", "tag", "cap"])
@pytest.mark.parametrize("seed", range(4))
def test_a_loop_is_stopped_and_no_box_of_it_lost(captions, scripter, stage, seed):
    """C5."""
    image = read_captioned(captions)[0]
    (example,) = [example for example in scripter.examples(image) if example.stage == stage]
    looping = run_away(example, rng=Random(seed), num_copies=30)
    ids = scripter.encode(looping.answer)
    kept, num_written = stop_early(ids, limit=10_000, window=250)
    assert len(kept) <= num_written < len(ids)
    assert kept == ids[: len(kept)]
    boxes = loops.find_boxes
    assert boxes(Characters().decode(kept)) == boxes(looping.answer)
    assert stop_early(scripter.encode(example.answer), limit=10_000, window=250)[0] == scripter.encode(example.answer)


def test_loops_are_counted_in_full(captions, scripter):
    images = read_captioned(captions)
    settings = {"decode": Characters().decode, "decoding": DecodingConfig(repeat_window=200), "seed": 0}
    none = loops.bench_loops(images, scripter, share=0.0, **settings)
    every = loops.bench_loops(images, scripter, share=1.0, **settings)
    assert (none.num_looping, every.num_looping) == (0, 2)
    assert (every.num_boxes_lost, every.num_unstopped, every.num_cut) == (0, 0, 0)
    assert max(every.published_steps) > 1000 > max(every.steps)


@pytest.fixture
def small_model(monkeypatch):
    """Timed in place of one of nano's size."""
    from pancap.chain.model import Checkpoint, CheckpointMeta, build_model

    sizes = {f"{part}_{name}": 32 for part in ("vision", "text") for name in ("hidden", "mlp")}
    heads = {f"{part}_{name}": 2 for part in ("vision", "text") for name in ("heads", "layers")}
    config = ModelConfig(coordinates="text", image_px=32, patch_px=16, **sizes, **heads)
    tokenizer = train_tokenizer(CAPTIONS.values(), vocabulary_size=400, coordinates="text")
    model = build_model(config, tokenizer=tokenizer).eval()
    checkpoint = Checkpoint(model=model, tokenizer=tokenizer, meta=CheckpointMeta(coordinates="text", mode="chain"))
    monkeypatch.setattr("pancap.chain.bench.speed._random_checkpoint", lambda captions, seed: checkpoint)


def test_the_clock_runs_the_same_answers_both_ways(captions, small_model):
    found = bench_speed(read_captioned(captions), num_plain=1, rounds=1, seed=0)
    assert found.ratios[PLAIN][0] > 0
    assert replace(found, num_images=1).to_dict()["time_over_pancap"][PLAIN]["median"] == found.ratios[PLAIN][0]


def test_a_load_that_grows_changes_no_ratio(captions, small_model, monkeypatch):
    """The published loop was timed once a round, behind ours: what else began to run meanwhile counted against it."""
    load = iter(range(10, 100))

    def time_under_load(backend, pictures):
        return (6.0 if isinstance(backend, speed._PublishedLoop) else 2.0) * next(load)

    monkeypatch.setattr(speed, "_time", time_under_load)
    found = bench_speed(read_captioned(captions), num_plain=2, rounds=2, seed=0)
    assert found.ratios == {NO_DRAFTS: (1.0, 1.0), AGAIN: (1.0, 1.0), PLAIN: (3.0, 3.0)}


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="rounds must be >= 0, got -1"):
        ChainBenchConfig(captions="x", rounds=-1)
    with pytest.raises(ValueError, match=r"loop_share must be in 0\.\.1, got 2"):
        ChainBenchConfig(captions="x", loop_share=2)
