"""Configuration of the judge that asks a language model."""

from dataclasses import dataclass

from pancap.configs.errors import UsageError
from pancap.llm.config import GeneratorConfig


@dataclass(frozen=True, kw_only=True)
class LlmJudgeConfig(GeneratorConfig):
    """Which model judges, with which prompts, and where its replies are kept."""

    prompts: str = ""
    """Folder of extract.txt, contradict.txt and answer.txt of your own; empty for the package's."""
    store: str = "runs/judge_replies.jsonl"
    """File of every reply; what stands there is not asked again, by any run."""
    retries: int = 2
    """Further tries after an invalid reply, each with another seed."""
    min_valid: float = 0.95
    """Share of valid replies that each step must reach for a result, 0..1."""
    max_items: int = 60
    """Most entities, attributes, relations and global items of one caption, each."""
    max_tokens: int = 3072
    """Longest extraction, in tokens."""
    seed: int = 0
    """Seed of the first try; only further tries are sampled."""

    def check(self) -> None:
        """Refuses what cannot be meant, before anything is loaded.

        Raises:
            UsageError: see `GeneratorConfig.check`; or a number is out of its range, or no store is named.
        """
        super().check()
        if not self.store:
            raise UsageError("llm.store must name a file, got an empty text; leave it out for the default")
        if not 0 <= self.min_valid <= 1:
            raise UsageError(f"llm.min_valid must be in 0..1, got {self.min_valid}")
        for name, least in (("retries", 0), ("max_items", 1), ("max_tokens", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"llm.{name} must be >= {least}, got {getattr(self, name)}")
