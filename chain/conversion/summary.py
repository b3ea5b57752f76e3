"""What `pancap weights` reports."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ConvertSummary:
    """What a conversion wrote.

    Args:
        out: folder of the checkpoint.
        num_parameters: of the model, the new image token's rows counted.
        num_files: weight files.
        num_bytes: of the weight files.
        num_merged: weights that an adapter was added to.
        storage: type of the weights.
    """

    out: str
    num_parameters: int
    num_files: int
    num_bytes: int
    num_merged: int
    storage: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A few lines for a terminal."""
        written = (
            f"wrote {self.out}: {self.num_parameters / 1e6:,.1f}M parameters, {self.storage}, "
            f"{self.num_bytes / 1e9:.2f} GB in {self.num_files} files"
        )
        return f"{written}\nadapted weights merged: {self.num_merged}" if self.num_merged else written
