"""Triton kernels, one folder an op, each beside its plain-PyTorch reference."""
