"""A coordinate token from a hidden state: bin, log-probability, expectation, spread and the next embedding at once."""

from pancap.custom_kernels.box_decode.function import BoxDecode, box_decode, box_decode_joint
from pancap.custom_kernels.box_decode.module import BoxDecoder

__all__ = ["BoxDecode", "BoxDecoder", "box_decode", "box_decode_joint"]
