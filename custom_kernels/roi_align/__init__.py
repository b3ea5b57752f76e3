"""RoIAlign: features of regions, resampled to a fixed grid."""

from pancap.custom_kernels.roi_align.function import roi_align

__all__ = ["roi_align"]
