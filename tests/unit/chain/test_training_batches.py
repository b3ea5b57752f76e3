"""Who gets which image of a step."""

from itertools import chain
from random import Random

import pytest

from pancap.chain.training.batches import plan
from pancap.chain.training.encoding import Branch, EncodedImage


@pytest.fixture
def images():
    lengths = [Random(index).randint(50, 900) for index in range(24)]
    return [EncodedImage(index, (Branch("cap", (0,) * num, 1),)) for index, num in enumerate(lengths)]


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("images_per_pass", [None, 1, 5])
def test_every_image_of_a_step_is_in_one_pass_of_one_worker(images, world_size, images_per_pass):
    passes = [
        images_of_pass
        for rank in range(world_size)
        for images_of_pass in plan(images, rank=rank, world_size=world_size, images_per_pass=images_per_pass)
    ]
    assert sorted(image.index for image in chain(*passes)) == list(range(24))
    assert max(map(len, passes)) == min(images_per_pass or 24, 24 // world_size)


def test_workers_get_as_many_images_and_about_as_many_tokens(images):
    """None waits long for the slowest: at most for the longest image."""
    shares = [plan(images, rank=rank, world_size=4)[0] for rank in range(4)]
    assert [len(share) for share in shares] == [6] * 4
    tokens = [sum(image.num_tokens for image in share) for share in shares]
    assert max(tokens) - min(tokens) <= max(image.num_tokens for image in images)
