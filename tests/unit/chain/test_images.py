import numpy as np
import pytest

from pancap.chain.images import CLIP_MEAN, normalize, preprocessor_config, to_pixels, to_square


def test_a_wide_image_lies_in_the_middle_of_a_mean_coloured_square():
    square = to_square(np.full((10, 40, 3), 255, np.uint8), image_px=40)
    assert square.shape == (40, 40, 3)
    assert (square[15:25] == 255).all()
    assert (square[:15] == [int(value * 255) for value in CLIP_MEAN]).all()
    assert (square[25:] == square[0]).all()


def test_the_mean_colour_is_zero_for_the_model():
    squares = np.full((1, 4, 4, 3), [round(value * 255) for value in CLIP_MEAN], np.uint8)
    pixels = normalize(squares)
    assert pixels.shape == (1, 3, 4, 4)
    assert pixels.abs().max() < 0.01


def test_transformers_own_processor_gives_the_same_pixels():
    import torch
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    image = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    config = preprocessor_config(32)
    config.pop("image_processor_type")
    theirs = LlavaImageProcessorPil(**config)(image, return_tensors="pt").pixel_values
    assert torch.allclose(to_pixels([image], image_px=32), theirs, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_rgb_image_is_refused(shape):
    with pytest.raises(ValueError, match="must be"):
        to_square(np.zeros(shape, np.uint8), image_px=8)
