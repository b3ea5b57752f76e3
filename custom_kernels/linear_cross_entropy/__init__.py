"""Cross-entropy of text tokens from hidden states: Liger-Kernel where it is installed, torch otherwise."""

from pancap.custom_kernels.linear_cross_entropy.function import linear_cross_entropy

__all__ = ["linear_cross_entropy"]
