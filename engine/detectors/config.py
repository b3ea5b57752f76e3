"""What can be set when the embedded detectors are trained."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DetectorTrainConfig:
    """Training of the embedded detectors and tagger on Scenes."""

    out: str
    """Folder for the three weight files."""
    seed: int = 10_000_000
    """Seed of the first training scene and of the training; below 1,000,000 scenes are kept for evaluation."""
    start_from: str = ""
    """Folder of weight files to go on from; empty to begin anew."""
    num_scenes: int = 6000
    """Different scenes, rendered once."""
    cache: str = ""
    """Folder for the rendered scenes (about 0.2 MB each); empty for a temporary one. Reused where it fits."""
    batch_size: int = 16
    """Scenes a step."""
    proposer_steps: int = 1300
    """Optimizer steps of the class-agnostic detector."""
    grounder_steps: int = 1500
    """Optimizer steps of the class-aware detector, which starts from the backbone of the proposer."""
    tagger_steps: int = 1200
    """Optimizer steps of the crop classifier."""
    learning_rate: float = 2e-3
    """Peak of AdamW's one-cycle schedule."""
    num_threads: int = 1
    """Threads of torch; the result depends on it in the last digits."""
    num_render_workers: int = 1
    """Processes that render scenes."""

    def __post_init__(self) -> None:
        """Refuses what cannot be trained."""
        if self.seed < 1_000_000:
            raise ValueError(f"seed must be >= 1000000, got {self.seed}; scenes below are kept for evaluation")
        for name in ("num_scenes", "batch_size", "num_threads", "num_render_workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")
        for name in ("proposer_steps", "grounder_steps", "tagger_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}; 0 skips that model")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}; set a positive rate")
