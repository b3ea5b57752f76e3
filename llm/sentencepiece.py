"""A public 32,000-piece vocabulary, close to Llama's, for counting tokens where no model is at hand."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.configs.errors import UsageError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


def load_sentencepiece(path: str = "") -> "tuple[str, SentencePieceProcessor]":
    """A SentencePiece model and what results call it.

    Args:
        path: a model file; empty for Mistral's first, which the package mistral_common carries.

    Raises:
        UsageError: there is none.
    """
    name = Path(path).name or "mistral_common's tokenizer.model.v1"
    if not path:
        found = importlib.util.find_spec("mistral_common")
        if found is None or not found.origin:
            raise UsageError("the default tokenizer comes with vLLM (mistral_common); install it, or set tokenizer=...")
        path = str(Path(found.origin).parent / "data" / "tokenizer.model.v1")
    try:
        from sentencepiece import SentencePieceProcessor

        return name, SentencePieceProcessor(model_file=path)
    except (ImportError, OSError, RuntimeError) as error:
        raise UsageError(f"tokenizer {path} cannot be loaded ({error}); give a SentencePiece model") from error
