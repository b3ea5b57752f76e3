"""One pass over an image's tree gives what four separate samples give, and learns."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from pancap.chain.config import ModelConfig
from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import build_model
from pancap.chain.tokenizer import encode_prefix, token_ids, train_tokenizer
from pancap.chain.training import loss as loss_module
from pancap.chain.training.config import BoxLossConfig, LossConfig
from pancap.chain.training.encoding import STAGE_NAMES, EncodedImage, Encoder, collate, count
from pancap.chain.training.loss import answer_loss, syntax_nll
from pancap.chain.training.step import build_step, step_loss
from pancap.chain.training.tree import Tree, TreeLayout, branch_mask, tree_attention, use_tree_attention
from pancap.chain.training.vision import giou
from pancap.custom_kernels.linear_cross_entropy import linear_cross_entropy

TINY = ModelConfig(
    image_px=32, patch_px=8, vision_hidden=32, vision_layers=1, vision_heads=2, vision_mlp=64,
    text_hidden=32, text_layers=2, text_heads=2, text_mlp=64, vocabulary_size=400,
)  # fmt: skip

BOXED = LossConfig(box=BoxLossConfig(weight=1.0))


@pytest.fixture(scope="module")
def tiny(squares_parquet):
    """Tokenizer, encoded images and pixels of four pictures."""
    images = read_training_images(squares_parquet)[:4]
    tokenizer = train_tokenizer([image.caption for image in images], vocabulary_size=400)
    encoder = Encoder(
        tokenizer=tokenizer, coordinates="tokens", mode="chain", order="left_to_right", max_tokens=1024, grid=4
    )
    encoded = [encoder.encode(image, index=index, seed=0) for index, image in enumerate(images)]
    pixels = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    return tokenizer, encoded, pixels


def batch_of(tiny, images, counts=None):
    tokenizer, _, pixels = tiny
    prefix = encode_prefix(tokenizer, num_image_tokens=TINY.num_image_tokens)
    return collate(images, pixels=pixels, named=token_ids(tokenizer), prefix_ids=prefix, counts=counts)


def tokens_of(stages):
    return torch.bincount(stages, minlength=len(STAGE_NAMES))


def plain_nll(model, batch):
    """Reference: transformers' own forward of a batch that holds one branch; mean cross-entropy of its answer."""
    logits = model(
        input_ids=batch.ids_T.unsqueeze(0), pixel_values=batch.pixels, attention_mask=torch.ones_like(batch.ids_T)[None]
    ).logits[0]
    return torch.nn.functional.cross_entropy(logits[batch.rows_M], batch.targets_M)


def test_tree_gives_the_loss_of_four_separate_samples(tiny):
    tokenizer, encoded, _ = tiny
    model = build_model(TINY, tokenizer=tokenizer, seed=1).eval()
    branches = [EncodedImage(encoded[0].index, (branch,)) for branch in encoded[0].branches]
    expected = {image.branches[0].stage: plain_nll(model, batch_of(tiny, [image])).item() for image in branches}
    use_tree_attention(model)
    loss = LossConfig(box=BoxLossConfig(weight=0.0))
    parts = step_loss(model, batch_of(tiny, encoded[:1]), named=token_ids(tokenizer), loss=loss)
    assert parts.stages == pytest.approx(expected, rel=1e-5)
    weights = {"loc": loss.loc, "tag": loss.tag, "disc": loss.disc, "cap": loss.cap}
    assert parts.total.item() == pytest.approx(sum(weights[s] * expected[s] for s in expected), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tree_gives_the_gradients_of_four_separate_samples(tiny, dtype):
    """Relative difference at most 1e-5 in float32; cosine at least 0.999 in bfloat16."""
    tokenizer, encoded, _ = tiny
    model = build_model(TINY, tokenizer=tokenizer, seed=1).eval().to(dtype)
    loss = LossConfig(box=BoxLossConfig(weight=0.0))
    for branch in encoded[0].branches:
        alone = EncodedImage(encoded[0].index, (branch,))
        (getattr(loss, branch.stage) * plain_nll(model, batch_of(tiny, [alone]))).backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.zero_grad()
    use_tree_attention(model)
    step_loss(model, batch_of(tiny, encoded[:1]), named=token_ids(tokenizer), loss=loss).total.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert found.keys() == expected.keys()
    if dtype == torch.bfloat16:
        ours, theirs = (torch.cat([of[name].double().flatten() for name in expected]) for of in (found, expected))
        assert torch.cosine_similarity(ours, theirs, dim=0) >= 0.999
        return
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-9, name


@pytest.mark.parametrize("cuts", [(1, 3), (1, 1, 1, 1)])
def test_a_step_cut_in_batches_has_the_gradients_of_the_whole(tiny, cuts):
    """R33: each worker took means over its own share, so an answer counted more the shorter those beside it were, and
    two workers trained another model than one."""
    tokenizer, encoded, _ = tiny
    named = token_ids(tokenizer)
    ends = list(itertools.accumulate(cuts))
    parts = [encoded[end - size : end] for size, end in zip(cuts, ends, strict=True)]
    counts = count(encoded, num_batches=len(cuts))
    gradients, totals = [], []
    for batches in ([batch_of(tiny, encoded)], [batch_of(tiny, part, counts) for part in parts]):
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the probe's weights
            step = build_step(build_model(TINY, tokenizer=tokenizer, seed=1), named=named, loss=LossConfig())
        loss = step(*batches).total
        loss.backward()
        totals.append(loss.item())
        gradients.append({name: weight.grad for name, weight in step.named_parameters() if weight.requires_grad})
    assert totals[1] == pytest.approx(totals[0], rel=1e-5)
    for name, whole in gradients[0].items():
        assert (gradients[1][name] - whole).norm() <= 1e-5 * whole.norm() + 1e-8, name


def test_images_of_one_batch_do_not_see_each_other(tiny):
    tokenizer, encoded, _ = tiny
    model = build_model(TINY, tokenizer=tokenizer, seed=1).eval()
    use_tree_attention(model)
    named, loss = token_ids(tokenizer), LossConfig(loc=1, tag=0, disc=0, cap=0)
    both = batch_of(tiny, [encoded[0], encoded[1]])
    alone = batch_of(tiny, [encoded[0]])
    changed = replace(both, pixels=both.pixels * torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    hidden = []
    for batch in (alone, both, changed):
        captured = []
        handle = model.model.language_model.norm.register_forward_hook(lambda *call: captured.append(call[2]))  # noqa: B023
        step_loss(model, batch, named=named, loss=loss)
        handle.remove()
        hidden.append(captured[0][0, : len(alone.ids_T)])
    torch.testing.assert_close(hidden[1], hidden[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(hidden[2], hidden[1], rtol=0, atol=0)


def dense_mask(layout):
    """The rule of the tree as one boolean (T, T) matrix."""
    total = sum(layout.lengths)
    mask = torch.zeros(total, total, dtype=torch.bool)
    start = 0
    for tree in layout.trees:
        prefix = slice(start, start + tree.num_prefix)
        mask[prefix, prefix] = torch.ones(tree.num_prefix, tree.num_prefix, dtype=torch.bool).tril()
        start = prefix.stop
        for length in tree.num_branch:
            branch = slice(start, start + length)
            mask[branch, prefix] = True
            mask[branch, branch] = torch.ones(length, length, dtype=torch.bool).tril()
            start = branch.stop
    return mask


def test_tree_attention_equals_dense_attention_with_the_layouts_mask():
    layout = TreeLayout((Tree(5, (3, 1)), Tree(2, (4,)), Tree(3, ())))
    total = sum(layout.lengths)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 2, total, 8, generator=generator) for _ in range(3))
    found, _ = tree_attention(torch.nn.Identity(), query, key, value, None, layout=layout, scaling=0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=dense_mask(layout), scale=0.3
    ).transpose(1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_branch_mask_shows_the_prefix_and_the_past():
    visible = (branch_mask(2, 3) == 0).int().tolist()
    assert visible == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]


@pytest.fixture(scope="module")
def trained(tiny):
    """A step after 30 rounds over four samples, and the loss of each."""
    tokenizer, encoded, _ = tiny
    step = build_step(build_model(TINY, tokenizer=tokenizer, seed=0), named=token_ids(tokenizer), loss=BOXED)
    optimizer = torch.optim.AdamW([p for p in step.parameters() if p.requires_grad], lr=1e-2)
    batch = batch_of(tiny, encoded)
    totals = []
    for _ in range(30):
        parts = step(batch)
        optimizer.zero_grad()
        parts.total.backward()
        optimizer.step()
        totals.append(parts.total.item())
    return step, totals


def test_loss_falls_on_four_samples_and_reaches_every_parameter(trained):
    step, totals = trained
    assert totals[-1] < 0.6 * totals[0]
    without = [name for name, p in step.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_a_frozen_tower_stays_and_its_projector_learns(tiny):
    tokenizer, encoded, _ = tiny
    model = build_model(TINY, tokenizer=tokenizer, seed=0)
    step = build_step(model, named=token_ids(tokenizer), loss=LossConfig(), freeze_vision=True)
    step(batch_of(tiny, encoded)).total.backward()
    assert all(parameter.grad is None for parameter in model.model.vision_tower.parameters())
    assert all(parameter.grad is not None for parameter in model.model.multi_modal_projector.parameters())


def test_only_answers_are_supervised(tiny):
    tokenizer, encoded, _ = tiny
    batch = batch_of(tiny, encoded[:1])
    assert batch.ids_T[batch.rows_M + 1].tolist() == batch.targets_M.tolist()
    ends = (batch.targets_M == tokenizer.eos_token_id).nonzero().squeeze(1)
    answers = [branch.ids[branch.answer_start :] for branch in encoded[0].branches]
    assert batch.targets_M.tolist() == [token for answer in answers for token in answer]
    assert batch.stages_M[ends].tolist() == [STAGE_NAMES.index(branch.stage) for branch in encoded[0].branches]


def loss_from_whole_logits(hidden, weight, *, targets, stages, coordinates, config):
    """Reference: every token against the whole vocabulary, a bell for coordinates, 1 - GIoU four times a box."""
    logits = hidden @ weight.T
    nll = -logits.log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    is_coordinate = targets >= coordinates.start
    true = targets[is_coordinate] - coordinates.start
    scores = logits[is_coordinate, coordinates.start :]
    away = (torch.arange(len(coordinates)) - true.unsqueeze(1)).float()
    bell = torch.exp(-0.5 * (away / config.box.sigma) ** 2) * (away.abs() <= int(3 * config.box.sigma) + 1)
    bell = bell / bell.sum(dim=1, keepdim=True)
    soft = scores.gather(1, true.unsqueeze(1)).squeeze(1) - (bell * scores).sum(dim=1)
    nll = nll.index_add(0, is_coordinate.nonzero().squeeze(1), config.box.weight * soft)
    share = torch.zeros(len(targets))
    for stage, weight_of_stage in enumerate((config.loc, config.tag)):
        share[stages == stage] = weight_of_stage / (stages == stage).sum()
    last = len(coordinates) - 1
    expected = scores.softmax(dim=1) @ (torch.arange(len(coordinates)) / last)
    overlap = giou(expected.view(-1, 4), (true / last).view(-1, 4))
    return (nll * share).sum() + config.box.giou * ((1 - overlap) * share[is_coordinate].view(-1, 4).sum(dim=1)).sum()


def test_with_every_box_asked_for_syntax_the_loss_is_that_of_whole_logits(monkeypatch):
    """Text and boxes by their own ops, and both gradients, with the weights of stages."""
    monkeypatch.setattr(loss_module, "SYNTAX_STRIDE", 1)
    generator = torch.Generator().manual_seed(0)
    coordinates = range(40, 40 + 101)
    boxes = torch.tensor([[10, 20, 30, 40], [0, 0, 100, 100], [50, 3, 51, 99], [1, 98, 2, 99]])
    answers = [torch.cat([torch.tensor([7 + index]), 40 + box]) for index, box in enumerate(boxes)]
    targets, stages = torch.cat([*answers, torch.tensor([2])]), torch.tensor([0] * 10 + [1] * 11)
    leaves = [torch.randn(*size, generator=generator, requires_grad=True) for size in ((21, 16), (141, 16))]
    config = LossConfig(loc=2.0, tag=0.7, box=BoxLossConfig(weight=1.0, sigma=3.0, giou=0.5))
    expected = loss_from_whole_logits(*leaves, targets=targets, stages=stages, coordinates=coordinates, config=config)
    settings = {"targets_M": targets, "stages_M": stages, "tokens_G": tokens_of(stages), "coordinates": coordinates}
    found = answer_loss(*leaves, **settings, config=config)
    torch.testing.assert_close(found.total, expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(*(torch.autograd.grad(t, leaves) for t in (found.total, expected)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    half = answer_loss(*leaves, **settings, config=replace(config, box=replace(config.box, weight=0.5)))
    plain = answer_loss(*leaves, **settings, config=replace(config, box=replace(config.box, weight=0.0)))
    assert half.total < found.total
    assert plain.giou is None and found.giou is not None
    assert plain.stages["loc"] > found.stages["loc"]


def test_one_reading_of_the_head_weighs_words_of_all_stages(monkeypatch):
    """Words of equal weight once shared a call of the fused cross-entropy: the head was read for every stage,
    and a gradient of its size made each time."""
    reads = []

    def count(*args, **kwargs):
        reads.append(args)
        return linear_cross_entropy(*args, **kwargs)

    monkeypatch.setattr("pancap.custom_kernels.linear_cross_entropy.linear_cross_entropy", count)
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 60, (40,), generator=generator)
    stages = torch.arange(40) // 10
    wide = [torch.randn(*size, generator=generator).double().requires_grad_() for size in ((40, 16), (60, 16))]
    leaves = [leaf.detach().float().requires_grad_() for leaf in wide]
    config = LossConfig(loc=2.0, tag=0.7, disc=0.4, cap=1.3, box=BoxLossConfig(weight=0.0))
    settings = {"targets_M": targets, "stages_M": stages, "tokens_G": tokens_of(stages)}
    found = answer_loss(*leaves, **settings, coordinates=range(45, 60), config=config)
    assert len(reads) == 1

    nll = torch.nn.functional.cross_entropy(wide[0] @ wide[1].T, targets, reduction="none")
    total = 0.0
    for name in ("loc", "tag", "disc", "cap"):
        of_stage = stages == STAGE_NAMES.index(name)
        total = total + getattr(config, name) * nll[of_stage].mean()
        assert found.stages[name] == pytest.approx(nll[of_stage].mean().item(), rel=1e-5)
    assert found.total.item() == pytest.approx(total.item(), rel=1e-5)
    for ours, theirs in zip(
        *(torch.autograd.grad(t, of) for t, of in ((found.total, leaves), (total, wide))), strict=True
    ):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-6)


def test_one_box_in_eight_is_asked_for_syntax_and_stands_for_the_others(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(4, 16, generator=generator).repeat(16, 1), torch.randn(141, 16, generator=generator)
    targets, stages = torch.tensor([50, 60, 70, 80]).repeat(16), torch.zeros(64, dtype=torch.long)
    asked, found = [], []

    def count(rows_NH, *args, **kwargs):
        asked.append(len(rows_NH))
        return syntax_nll(rows_NH, *args, **kwargs)

    monkeypatch.setattr(loss_module, "syntax_nll", count)
    for stride in (1, 8):
        monkeypatch.setattr(loss_module, "SYNTAX_STRIDE", stride)
        settings = {"targets_M": targets, "stages_M": stages, "tokens_G": tokens_of(stages)}
        found.append(answer_loss(hidden, weight, **settings, coordinates=range(40, 141), config=BOXED).total)
    assert asked == [64, 8]
    torch.testing.assert_close(found[1], found[0])


def test_every_box_has_its_turn_of_being_asked_for_syntax(monkeypatch):
    hidden, asked = torch.arange(32.0).unsqueeze(1).expand(-1, 16), set()

    def see(rows_NH, *args, **kwargs):
        asked.add(int(rows_NH[0, 0]) // 4)
        return rows_NH.new_zeros(len(rows_NH))

    monkeypatch.setattr(loss_module, "syntax_nll", see)
    for shift in range(8):
        targets = torch.tensor([40, 40, 50, 50] * 8)
        targets[0] += shift
        stages = torch.zeros(32, dtype=torch.long)
        settings = {"targets_M": targets, "stages_M": stages, "tokens_G": tokens_of(stages)}
        answer_loss(hidden, torch.randn(141, 16), **settings, coordinates=range(40, 141), config=BOXED)
    assert asked == set(range(8))


def test_a_near_coordinate_costs_less_than_a_far_one():
    coordinates = range(10, 1011)
    targets = torch.tensor([10 + 100, 10 + 100, 10 + 300, 10 + 300])
    losses = []
    for shift in (0, 3, 300):
        logits = torch.zeros(4, 1011)
        logits[torch.arange(4), targets + torch.tensor([0, 0, shift, shift])] = 20.0
        stages = torch.zeros(4, dtype=torch.long)
        settings = {"targets_M": targets, "stages_M": stages, "tokens_G": tokens_of(stages)}
        parts = answer_loss(logits, torch.eye(1011), **settings, coordinates=coordinates, config=BOXED)
        losses.append(parts.total.item())
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize(
    ("box", "other", "expected"),
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 1, 1), (0, 0, 1, 0.5), 0.5),
        ((0, 0, 0.25, 1), (0.75, 0, 1, 1), -0.5),
    ],
)
def test_giou_of_known_pairs(box, other, expected):
    assert giou(torch.tensor([box], dtype=torch.float32), torch.tensor([other], dtype=torch.float32)).item() == (
        pytest.approx(expected)
    )


def test_over_long_images_are_left_out_whole(tiny, squares_parquet):
    """R14: never cut."""
    tokenizer, encoded, _ = tiny
    image = read_training_images(squares_parquet)[0]
    longest = max(len(branch.ids) for branch in encoded[0].branches)
    encoder = Encoder(
        tokenizer=tokenizer, coordinates="tokens", mode="chain", order="left_to_right", max_tokens=longest, grid=4
    )
    assert encoder.encode(image, index=0, seed=0) == encoded[0]
    assert replace(encoder, max_tokens=longest - 1).encode(image, index=0, seed=0) is None
