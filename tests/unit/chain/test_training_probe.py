"""The questions at the image tokens have the right answers, and reach the weights."""

import pytest
import torch

from pancap.chain.data.datasets import read_training_images
from pancap.chain.tokenizer import encode, train_tokenizer
from pancap.chain.training.probe import NUM_SAMPLED, build_probe, probe_loss, sample_patches


@pytest.mark.parametrize("grid", [4, 16])
def test_sampled_patches_lie_in_the_box_they_answer_with(squares_parquet, grid):
    images = read_training_images(squares_parquet)
    tokenizer = train_tokenizer([image.caption for image in images], vocabulary_size=400)
    word = encode(tokenizer, "square")[0]
    for image in images:
        answers = sample_patches(image, tokenizer=tokenizer, grid=grid, seed=0)
        assert len(set(answers.patches)) == len(answers.patches) <= NUM_SAMPLED
        assert set(answers.words) <= {word}
        for patch, (x1, y1, x2, y2) in zip(answers.patches, answers.units, strict=True):
            x, y = (patch % grid + 0.5) / grid * 1000, (patch // grid + 0.5) / grid * 1000
            assert x1 <= x <= x2 and y1 <= y <= y2
        again = sample_patches(image, tokenizer=tokenizer, grid=grid, seed=0)
        assert again == answers


def test_probe_learns_boxes_that_lie_in_the_hidden_states():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(1100, 16, generator=generator, requires_grad=True)
    units = torch.randint(0, 1000, (32, 4), generator=generator)
    words = torch.randint(0, 90, (32,), generator=generator)
    hidden = torch.cat([units / 1000, torch.randn(32, 12, generator=generator)], dim=1).requires_grad_()
    probe = build_probe(16)
    optimizer = torch.optim.Adam([*probe.parameters(), embeddings], lr=3e-2)
    losses = []
    for _ in range(40):
        loss = probe_loss(
            probe, hidden, units_Q4=units, words_Q=words, embeddings_VH=embeddings,
            coordinates=range(99, 1100), sigma=4.0,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert hidden.grad.abs().sum() > 0
    assert losses[-1] < 0.7 * losses[0]
