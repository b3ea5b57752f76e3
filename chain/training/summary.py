"""What a training run reports when it is over."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pancap.chain.training.validation import Validated


@dataclass(frozen=True, kw_only=True)
class TrainSummary:
    """Figures of one training run.

    Args:
        checkpoint: folder of the trained model.
        mode: the stages it was trained for.
        steps: optimizer steps in all.
        resumed_from: step that this call continued from; 0 for a new run.
        images: images seen, repetitions counted.
        seconds: training time over all attempts, start-up left out.
        skipped_steps: steps without update, their loss was not finite.
        dropped_images: draws left out as over-long or unreadable.
        first_loss, last: first logged loss, and the last line of metrics.
        best: the best of the validated checkpoints; None without validation.
    """

    checkpoint: str
    mode: str
    steps: int
    resumed_from: int
    images: int
    seconds: float
    skipped_steps: int
    dropped_images: int
    first_loss: float | None
    last: Mapping[str, float]
    best: Validated | None = None

    @property
    def images_per_s(self) -> float:
        """Images a second over all workers."""
        return self.images / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "images_per_s": self.images_per_s}

    def render(self) -> str:
        """A few lines for a terminal."""
        stages = ", ".join(
            f"{key.removeprefix('loss_')} {value:.3f}" for key, value in self.last.items() if key.startswith("loss_")
        )
        curve = "" if self.first_loss is None else f", loss {self.first_loss:.3f} -> {self.last.get('loss', 0.0):.3f}"
        speed = f"{self.images} images in {self.seconds:.0f} s ({self.images_per_s:.1f} images/s)"
        best = f"\nbest validated: step {self.best.step}, overall {self.best.overall:.1f}" if self.best else ""
        return (
            f"trained {self.checkpoint} ({self.mode})\n"
            f"{self.steps} steps, {speed}{curve}\n"
            f"last losses: {stages}; skipped steps {self.skipped_steps}, images left out {self.dropped_images}{best}"
        )
