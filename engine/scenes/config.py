"""Settings of `pancap scenes`."""

from dataclasses import dataclass

from omegaconf import MISSING

MIN_SIZE_PX, MAX_SIZE_PX = 64, 2048


@dataclass(frozen=True, kw_only=True)
class ScenesConfig:
    """What to draw and where to put it."""

    out: str = MISSING
    """Folder for images/, scenes.parquet/, captions.json and manifest.json."""
    num: int = 1000
    """How many scenes."""
    seed: int = 0
    """Scene i is drawn from (seed, i)."""
    size_px: int = 256
    """Side of the square images."""
    split: str = "train"
    """Value of the `split` column."""
    num_workers: int = 0
    """Tasks that draw at once; 0 takes what the cluster has. The bytes do not depend on it."""
    overwrite: bool = False
    """Replace what an earlier run with other settings left in the folder."""

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn.

        Raises:
            ValueError: a value is out of range.
        """
        if self.num < 1:
            raise ValueError(f"num must be at least 1, got {self.num}; ask for one scene or more")
        if self.num_workers < 0:
            raise ValueError(f"num_workers must be 0 (all) or more, got {self.num_workers}; leave it out to use all")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}; give another number")
        if not MIN_SIZE_PX <= self.size_px <= MAX_SIZE_PX:
            raise ValueError(f"size_px must be {MIN_SIZE_PX} to {MAX_SIZE_PX}, got {self.size_px}; 256 is usual")
