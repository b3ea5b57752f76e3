"""What the engine asks of a captioner, whatever stands behind it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pancap.engine.detections import Detection


class Captioner(Protocol):
    """Writes the panoptic caption of one image whose entities have been found."""

    def caption(self, rgb: np.ndarray, detections: Sequence[Detection]) -> str:
        """The caption, with the box of every entity it names.

        Args:
            rgb: the image, (H, W, 3) uint8.
            detections: entities to describe; their tags and boxes are taken as given.
        """
        ...
