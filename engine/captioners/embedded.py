"""The captioner that needs no model: it measures the pixels and writes prose."""

import zlib
from collections.abc import Sequence

import numpy as np

from pancap.engine.captioners.measure import measure
from pancap.engine.captioners.writer import write_caption
from pancap.engine.detections import Detection


def seed_of(rgb: np.ndarray) -> int:
    """A seed that depends on nothing but the pixels, so that a caption is the same in every run."""
    return zlib.crc32(np.ascontiguousarray(rgb).tobytes())


class EmbeddedCaptioner:
    """Measures colour, size, position, relations and light, and states them in prose."""

    name = "embedded"

    def caption(self, rgb: np.ndarray, detections: Sequence[Detection]) -> str:
        """The caption, with the box of every entity.

        Args:
            rgb: the image, (H, W, 3) uint8.
            detections: entities to describe.
        """
        return write_caption(measure(rgb, detections), seed=seed_of(rgb), style="prose")
