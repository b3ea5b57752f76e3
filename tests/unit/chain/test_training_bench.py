"""What the bench of training hands to both sides."""

import numpy as np
import pytest

from pancap.chain.bench.trainer_peer import Collator, make_samples
from pancap.chain.bench.training import TrainingBenchConfig, bench_training
from pancap.chain.config import ModelConfig
from pancap.chain.data.datasets import read_training_images
from pancap.chain.tokenizer import encode_prefix, token_ids, train_tokenizer
from pancap.chain.training.encoding import Encoder, collate
from pancap.configs import UsageError


def test_peer_and_trees_are_asked_for_the_same_tokens(squares_parquet):
    images = read_training_images(squares_parquet)[:4]
    tokenizer = train_tokenizer([image.caption for image in images], coordinates="text")
    named, prefix_ids = token_ids(tokenizer), encode_prefix(tokenizer, num_image_tokens=16)
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    encoder = Encoder(tokenizer=tokenizer, coordinates="text", mode="chain", order="left_to_right", max_tokens=2048)
    trees = [encoder.encode(image, index=index, seed=0) for index, image in enumerate(images)]
    packed = collate(trees, pixels=pixels, named=named, prefix_ids=prefix_ids)
    samples = make_samples(images, tokenizer=tokenizer, prefix_ids=prefix_ids)
    padded = Collator(pixels=pixels, pad=named.pad)(samples)
    assert sorted(padded["labels"][padded["labels"] >= 0].tolist()) == sorted(packed.targets_M.tolist())
    num_real = int(padded["attention_mask"].sum())
    assert num_real - 3 * len(images) * len(prefix_ids) == len(packed.ids_T)


def test_too_few_images_are_refused(squares_parquet):
    config = TrainingBenchConfig(data=str(squares_parquet), batch_size=100, steps=1, model=ModelConfig(image_px=32))
    with pytest.raises(UsageError, match="steps of 100 need 200"):
        bench_training(config)
