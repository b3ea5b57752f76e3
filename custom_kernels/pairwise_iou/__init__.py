"""IoU or GIoU of every pair of two sets of boxes, for one pair of sets or for many at once."""

from pancap.custom_kernels.pairwise_iou.function import RaggedIoU, pairwise_iou, pairwise_iou_ragged

__all__ = ["RaggedIoU", "pairwise_iou", "pairwise_iou_ragged"]
