"""Training tuples follow the paper: four stages, a random smaller part to discover, one right order."""

from random import Random

import pytest

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.data.datasets import read_training_images
from pancap.chain.tuples import make_examples, mistake, order_instances, roughen, split_for_discovery


def instances(num):
    return [Instance(tag=f"thing {index}", box=Box(0.1, index / 20, 0.9, (index + 1) / 20)) for index in range(num)]


@pytest.mark.parametrize("num", [1, 2, 3, 4, 9])
def test_the_missing_part_is_the_smaller_and_nothing_is_lost(num):
    items = instances(num)
    for seed in range(50):
        known, missing = split_for_discovery(items, rng=Random(seed))
        assert len(missing) < len(known)
        assert sorted(known + missing, key=lambda item: item.tag) == items


def test_discovery_has_sometimes_nothing_to_find_and_sometimes_something():
    counts = {len(split_for_discovery(instances(7), rng=Random(seed))[1]) for seed in range(100)}
    assert counts == {0, 1, 2, 3}


def test_left_to_right_sorts_by_x_then_y():
    boxes = [Box(0.5, 0.1, 0.6, 0.2), Box(0.1, 0.6, 0.2, 0.7), Box(0.1, 0.2, 0.4, 0.9)]
    items = [Instance(tag=str(index), box=box) for index, box in enumerate(boxes)]
    assert [item.tag for item in order_instances(items, order="left_to_right")] == ["2", "1", "0"]
    assert [item.tag for item in order_instances(items, order="caption")] == ["0", "1", "2"]


def test_the_four_examples_agree_with_each_other(squares_parquet):
    image = read_training_images(squares_parquet)[0]
    examples = make_examples(image, coordinates="tokens", mode="chain", order="left_to_right", seed=3)
    by_stage = {example.stage: example for example in examples}
    assert list(by_stage) == ["loc", "tag", "disc", "cap"]
    codec = BoxCodec(coordinates="tokens", width=image.width, height=image.height)
    boxes = codec.parse_boxes(by_stage["loc"].answer)
    assert set(boxes) == {item.box for item in image.instances}
    assert by_stage["tag"].prompt.endswith(by_stage["loc"].answer)
    tagged = codec.parse_instances(by_stage["tag"].answer)
    assert tuple(item.box for item in tagged) == boxes
    assert by_stage["cap"].prompt.endswith(by_stage["tag"].answer)
    known = codec.parse_instances(by_stage["disc"].prompt.split(": ")[-1])
    found = codec.parse_instances(by_stage["disc"].answer)
    assert set(known) | set(found) == set(tagged)
    for box in boxes:
        assert codec.render_box(box) in by_stage["cap"].answer, "the caption's box must be a copy of the prompt's"


def test_box_noise_makes_the_tag_prompt_rough_and_leaves_every_answer_true(squares_parquet):
    image = max(read_training_images(squares_parquet), key=lambda row: len(row.instances))
    num_rough = 0
    for seed in range(10):
        settings = {"coordinates": "tokens", "mode": "chain", "order": "left_to_right", "seed": seed}
        plain = {example.stage: example for example in make_examples(image, **settings)}
        rough = {example.stage: example for example in make_examples(image, **settings, box_noise=0.3)}
        assert all(rough[stage].answer == plain[stage].answer for stage in plain)
        assert all(rough[stage] == plain[stage] for stage in ("loc", "disc", "cap"))
        num_rough += rough["tag"].prompt != plain["tag"].prompt
    assert num_rough == 10


def test_caption_noise_makes_wrong_instances_in_the_prompt_alone(squares_parquet):
    image = max(read_training_images(squares_parquet), key=lambda row: len(row.instances))
    settings = {"coordinates": "tokens", "mode": "chain", "order": "left_to_right", "seed": 3}
    plain = {example.stage: example for example in make_examples(image, **settings)}
    noisy = {example.stage: example for example in make_examples(image, **settings, caption_noise=0.4)}
    assert noisy["cap"].answer == plain["cap"].answer
    assert noisy["cap"].prompt != plain["cap"].prompt
    assert all(noisy[stage] == plain[stage] for stage in ("loc", "tag", "disc"))


def test_mistakes_leave_out_double_and_rename_at_the_stated_rates():
    true = tuple(Instance(tag=tag, box=Box(0.1, 0.1, 0.4, 0.4)) for tag in "abcdefgh")
    rng, num = Random(0), 4000
    found = [mistake(true, rng=rng, noise=0.2, box_noise=0.1, size=(256, 256)) for _ in range(num // len(true))]
    left_out = sum(item.tag not in {other.tag for other in some} for some in found for item in true)
    assert left_out / num == pytest.approx(0.2 + 0.8 * 0.1 * 0.9, abs=0.05)
    assert sum(map(len, found)) / num == pytest.approx(0.8 * 1.1, abs=0.04)
    assert all(0 <= item.box.x1 < item.box.x2 <= 1 for some in found for item in some)
    assert [item.tag for item in mistake(true, rng=rng, noise=0.0, box_noise=0.0, size=(256, 256))] == list("abcdefgh")


def test_shorter_roads_ask_their_own_stages(squares_parquet):
    image = read_training_images(squares_parquet)[0]
    settings = {"coordinates": "tokens", "order": "left_to_right", "seed": 0}
    chain = {example.stage: example for example in make_examples(image, mode="chain", **settings)}
    two = {example.stage: example for example in make_examples(image, mode="two_stage", **settings)}
    assert list(two) == ["inst", "cap"] and two["inst"].answer == chain["tag"].answer and two["cap"] == chain["cap"]
    three = make_examples(image, mode="loc_tag_cap", **settings)
    assert three == tuple(chain[stage] for stage in ("loc", "tag", "cap"))


@pytest.mark.parametrize("box", [Box(0.0, 0.0, 1.0, 1.0), Box(0.999, 0.0, 1.0, 0.001), Box(0.2, 0.3, 0.4, 0.9)])
def test_rough_boxes_stay_boxes_inside_the_image(box):
    rng = Random(0)
    for _ in range(2000):
        rough = roughen(box, rng=rng, noise=0.5, size=(300, 200))
        assert 0 <= rough.x1 < rough.x2 <= 1 and 0 <= rough.y1 < rough.y2 <= 1


def test_rough_boxes_cannot_be_told_from_annotated_ones_by_their_fractions():
    """A chain copied 90 % of its own boxes in its tag stage: they lay on pixels, which no rough box had done."""
    rng, true = Random(0), Box(20 / 320, 30 / 240, 90 / 320, 170 / 240)
    for _ in range(200):
        rough = roughen(true, rng=rng, noise=0.3, size=(320, 240))
        pixels = (rough.x1 * 320, rough.x2 * 320, rough.y1 * 240, rough.y2 * 240)
        assert pixels == pytest.approx([round(edge) for edge in pixels], abs=1e-9)


def test_rough_boxes_err_as_localization_does():
    """Some exact, some far off; by as much of the image where they are small, hardly where they span it."""
    rng, size = Random(0), (256, 256)
    errors = {}
    for name, box in (("small", Box(0.5, 0.5, 0.5625, 0.5625)), ("wide", Box(0.0, 0.5, 1.0, 1.0))):
        found = [roughen(box, rng=rng, noise=0.15, size=size) for _ in range(2000)]
        errors[name] = sorted(abs(item.x1 - box.x1) for item in found)
    assert 0.1 < errors["small"].count(0.0) / 2000 < 0.3, "exact ones teach it that a good box may stay"
    assert 0.01 < errors["small"][1000] < 0.03 and errors["small"][1900] > 0.08
    assert errors["wide"][-1] == 0.0


def test_one_stage_asks_for_the_same_caption_with_no_instances(squares_parquet):
    image = read_training_images(squares_parquet)[0]
    (alone,) = make_examples(image, coordinates="tokens", mode="one_stage", order="caption", seed=0)
    chain = make_examples(image, coordinates="tokens", mode="chain", order="caption", seed=0)
    assert alone.answer == chain[-1].answer
    assert "<box>" not in alone.prompt


def test_examples_depend_on_nothing_but_row_and_seed(squares_parquet):
    image = max(read_training_images(squares_parquet), key=lambda row: len(row.instances))
    settings = {"coordinates": "tokens", "mode": "chain", "order": "left_to_right"}
    assert make_examples(image, **settings, seed=5) == make_examples(image, **settings, seed=5)
    assert len({make_examples(image, **settings, seed=seed) for seed in range(20)}) > 1
