"""Which cell answers for which box, and a loss that a perfect answer brings to nothing."""

import torch

from pancap.engine.detectors.decode import decode
from pancap.engine.detectors.letterbox import INPUT_PX
from pancap.engine.detectors.losses import Targets, assign, detector_loss, giou
from pancap.engine.detectors.network import DetectorOutput, points

BOXES = torch.tensor([[0.0, 0.0, 256.0, 130.0], [20.0, 150.0, 100.0, 240.0], [60.0, 200.0, 68.0, 207.0]])
LABELS = torch.tensor([2, 0, 1])
NUM_CLASSES = 3


def _perfect_output():
    centers, strides = points(INPUT_PX, INPUT_PX)
    index = assign(centers, strides, BOXES)
    logits = torch.full((1, len(centers), NUM_CLASSES), -20.0)
    sides = torch.ones(1, len(centers), 4)
    for point in torch.nonzero(index >= 0).flatten().tolist():
        box = BOXES[index[point]]
        logits[0, point, LABELS[index[point]]] = 20.0
        sides[0, point] = torch.cat([centers[point] - box[:2], box[2:] - centers[point]])
    return DetectorOutput(logits_BPK=logits, sides_BP4=sides)


def test_every_box_has_a_cell_on_the_level_of_its_size():
    centers, strides = points(INPUT_PX, INPUT_PX)
    index = assign(centers, strides, BOXES)
    levels = {int(box): set(strides[index == box].tolist()) for box in index.unique() if box >= 0}
    assert levels == {0: {32.0}, 1: {16.0}, 2: {8.0}}


def test_no_boxes_no_positive_cells():
    centers, strides = points(INPUT_PX, INPUT_PX)
    assert (assign(centers, strides, torch.zeros(0, 4)) == -1).all()


def test_a_perfect_answer_costs_nothing_and_decodes_to_the_boxes():
    centers, strides = points(INPUT_PX, INPUT_PX)
    output = _perfect_output()
    target = Targets(boxes_G4=BOXES, labels_G=LABELS)
    assert detector_loss(output, [target], centers_P2=centers, strides_P=strides) < 1e-3
    decoded = decode(output, min_score=0.5, max_iou=0.6, max_num=10)[0]
    found = {int(label): box for label, box in zip(decoded.labels, decoded.boxes_px, strict=True)}
    for box, label in zip(BOXES, LABELS, strict=True):
        torch.testing.assert_close(torch.from_numpy(found[int(label)]), box, atol=1e-3, rtol=0)
    assert len(decoded.scores) == len(BOXES)


def test_only_allowed_classes_are_decoded():
    import numpy as np

    decoded = decode(_perfect_output(), min_score=0.5, max_iou=0.6, max_num=10, allowed=[np.array([1])])[0]
    assert decoded.labels.tolist() == [1]


def test_an_image_without_boxes_has_a_finite_loss_and_gradient():
    centers, strides = points(INPUT_PX, INPUT_PX)
    logits = torch.zeros(1, len(centers), NUM_CLASSES, requires_grad=True)
    output = DetectorOutput(logits_BPK=logits, sides_BP4=torch.ones(1, len(centers), 4))
    empty = Targets(boxes_G4=torch.zeros(0, 4), labels_G=torch.zeros(0, dtype=torch.long))
    loss = detector_loss(output, [empty], centers_P2=centers, strides_P=strides)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_giou_of_disjoint_boxes_is_negative_and_of_equal_ones_is_one():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    others = torch.tensor([[0.0, 0.0, 1.0, 1.0], [2.0, 0.0, 3.0, 1.0]])
    iou, generalized = giou(boxes, others)
    torch.testing.assert_close(iou, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(generalized, torch.tensor([1.0, -1 / 3]))
