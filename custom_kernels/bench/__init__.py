"""Correctness and speed of every op against its peers, in one process: `python -m pancap.custom_kernels.bench`."""
