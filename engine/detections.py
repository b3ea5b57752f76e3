"""What a detector says about an image."""

from dataclasses import dataclass

from pancap.caption.boxes import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One region with its category, as found by a detector or given by ground truth.

    Args:
        tag: category label, a lower-case noun phrase (`traffic light`).
        box: extent, in fractions of the image.
        score: confidence of the detector that found it, 0..1; not comparable between detectors.
        source: name of the detector (`nano_proposer`, `nano_grounder`, `truth`).
    """

    tag: str
    box: Box
    score: float = 1.0
    source: str = ""
