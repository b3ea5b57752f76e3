"""Configuration of a scoring run."""

from dataclasses import dataclass, field
from typing import Literal

from pancap.configs.errors import UsageError
from pancap.scoring.judges.llm.config import LlmJudgeConfig


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """How captions are scored."""

    rules: Literal["strict", "official"] = "strict"
    """`strict`, or `official` for the published scripts' matching and counting."""
    judge: Literal["rule", "llm"] = "rule"
    """Who reads the captions; `rule` needs no model, `llm` asks the one named below."""
    llm: LlmJudgeConfig = field(default_factory=LlmJudgeConfig)
    """For judge llm."""
    encoder: str = "minilm"
    """Similarity of tags: `minilm`, `none`, or the folder of a sentence-transformers model."""
    bootstrap: int = 1000
    """Resamples of the images for the 95 % intervals; 0 for no intervals."""
    seed: int = 0
    """Seed of the resampling."""
    allow_missing: bool = False
    """Score the images that both sides have, instead of refusing unequal sets."""

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.bootstrap < 0:
            raise UsageError(f"bootstrap must be >= 0, got {self.bootstrap}; set 0 for no intervals")
        if not self.encoder:
            raise UsageError("encoder must be minilm, none or a model folder, got an empty text; set encoder=none")
        if self.judge == "llm":
            self.llm.check()
