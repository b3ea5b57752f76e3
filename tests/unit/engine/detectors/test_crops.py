"""Crops show what their box holds."""

import torch

from pancap.engine.detectors.crops import crop_boxes, place_features
from pancap.engine.detectors.network import CROP_PX, NUM_PLACE_FEATURES


def test_the_middle_of_a_crop_is_the_middle_of_its_box_at_every_size():
    image = torch.zeros(3, 256, 256)
    boxes = torch.tensor([[10.0, 100.0, 22.0, 112.0], [100.0, 100.0, 180.0, 160.0], [0.0, 0.0, 256.0, 90.0]])
    for number, (x1, y1, x2, y2) in enumerate(boxes.long().tolist(), start=1):
        image[:, y1 + (y2 - y1) // 4 : y2 - (y2 - y1) // 4, x1 + (x2 - x1) // 4 : x2 - (x2 - x1) // 4] = number
    crops = crop_boxes(image, boxes)
    assert crops.shape == (3, 6, CROP_PX, CROP_PX)
    middle = crops[:, :, CROP_PX // 2 - 1 : CROP_PX // 2 + 1, CROP_PX // 2 - 1 : CROP_PX // 2 + 1].mean(dim=(2, 3))
    torch.testing.assert_close(middle, torch.tensor([[1.0] * 6, [2.0] * 6, [3.0] * 6]), atol=0.3, rtol=0)


def test_the_context_view_shows_more_than_the_tight_one():
    image = torch.zeros(3, 256, 256)
    image[:, 100:140, 100:140] = 1.0
    crops = crop_boxes(image, torch.tensor([[100.0, 100.0, 140.0, 140.0]]))
    assert crops[0, :3].mean() > 0.7
    assert crops[0, 3:].mean() < 0.3


def test_places_are_fractions_of_the_picture():
    place = place_features(torch.tensor([[0.0, 0.0, 100.0, 50.0]]), width_px=200, height_px=100)
    assert place.shape == (1, NUM_PLACE_FEATURES)
    torch.testing.assert_close(place[0, :6], torch.tensor([0.0, 0.0, 0.5, 0.5, 0.5, 0.5]))
    assert crop_boxes(torch.zeros(3, 256, 256), torch.zeros(0, 4)).shape == (0, 6, CROP_PX, CROP_PX)
