"""Detectors, taggers and captioners by the names that configurations use."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pancap.configs.errors import UsageError

if TYPE_CHECKING:
    from pancap.engine.captioners.base import Captioner
    from pancap.engine.detectors.base import Grounder, Proposer, Tagger

BuiltT = TypeVar("BuiltT")


def proposer_names() -> tuple[str, ...]:
    """Class-agnostic detectors that can be named."""
    return tuple(_PROPOSERS)


def tagger_names() -> tuple[str, ...]:
    """Taggers that can be named."""
    return tuple(_TAGGERS)


def grounder_names() -> tuple[str, ...]:
    """Class-aware detectors that can be named."""
    return tuple(_GROUNDERS)


def captioner_names() -> tuple[str, ...]:
    """Captioners that can be named."""
    return tuple(_CAPTIONERS)


@lru_cache
def load_proposer(name: str) -> "Proposer":
    """The class-agnostic detector of that name, loaded once in a process.

    Raises:
        UsageError: no such name, or its weights are missing.
    """
    return _look_up(_PROPOSERS, name, what="proposer")()


@lru_cache
def load_tagger(name: str) -> "Tagger":
    """The tagger of that name, loaded once in a process.

    Raises:
        UsageError: no such name, or its weights are missing.
    """
    return _look_up(_TAGGERS, name, what="tagger")()


@lru_cache
def load_grounder(name: str) -> "Grounder":
    """The class-aware detector of that name, loaded once in a process.

    Raises:
        UsageError: no such name, or its weights are missing.
    """
    return _look_up(_GROUNDERS, name, what="grounder")()


@lru_cache
def load_captioner(name: str) -> "Captioner":
    """The engine's captioner of that name, built once in a process.

    Raises:
        UsageError: no such name.
    """
    return _look_up(_CAPTIONERS, name, what="captioner")()


def _look_up(known: dict[str, Callable[[], BuiltT]], name: str, *, what: str) -> Callable[[], BuiltT]:
    if name not in known:
        raise UsageError(f"expected a {what} of {', '.join(known)}, got {name!r}; name one of them")
    return known[name]


def _nano_proposer() -> "Proposer":
    from pancap.engine.detectors.nano import NanoProposer

    return NanoProposer()


def _nano_tagger() -> "Tagger":
    from pancap.engine.detectors.nano import NanoTagger

    return NanoTagger()


def _nano_grounder() -> "Grounder":
    from pancap.engine.detectors.nano import NanoGrounder

    return NanoGrounder()


def _embedded_captioner() -> "Captioner":
    from pancap.engine.captioners.embedded import EmbeddedCaptioner

    return EmbeddedCaptioner()


def _embedded_verify_captioner() -> "Captioner":
    from pancap.engine.captioners.embedded_verify import EmbeddedVerifyCaptioner

    return EmbeddedVerifyCaptioner()


def _needs_weights(name: str) -> Callable[[], NoReturn]:
    def refuse() -> NoReturn:
        raise UsageError(f"{name} needs downloaded weights, which this version cannot convert yet; use nano")

    return refuse


_PROPOSERS: dict[str, Callable[[], "Proposer"]] = {"nano": _nano_proposer, "oln": _needs_weights("oln")}
_TAGGERS: dict[str, Callable[[], "Tagger"]] = {"nano": _nano_tagger, "ram": _needs_weights("ram")}
_GROUNDERS: dict[str, Callable[[], "Grounder"]] = {
    "nano": _nano_grounder,
    "grounding_dino": _needs_weights("grounding_dino"),
    "owlv2": _needs_weights("owlv2"),
    "ow_detr": _needs_weights("ow_detr"),
}
_CAPTIONERS: dict[str, Callable[[], "Captioner"]] = {
    "embedded": _embedded_captioner,
    "embedded_verify": _embedded_verify_captioner,
}
