"""Training loss of coordinate tokens: cross-entropy, GIoU and L1 of the expected box, straight from hidden states."""

from pancap.custom_kernels.box_loss.function import BoxLoss, box_loss

__all__ = ["BoxLoss", "box_loss"]
