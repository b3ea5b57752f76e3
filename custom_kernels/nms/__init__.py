"""Greedy non-maximum suppression."""

from pancap.custom_kernels.nms.function import nms

__all__ = ["nms"]
