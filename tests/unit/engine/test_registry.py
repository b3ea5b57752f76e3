"""Detectors by name."""

import pytest

from pancap.configs.errors import UsageError
from pancap.engine import registry


@pytest.mark.parametrize(
    ("load", "names", "what"),
    [
        (registry.load_proposer, registry.proposer_names(), "proposer"),
        (registry.load_tagger, registry.tagger_names(), "tagger"),
        (registry.load_grounder, registry.grounder_names(), "grounder"),
        (registry.load_captioner, registry.captioner_names(), "captioner"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(load, names, what):
    with pytest.raises(UsageError, match=f"expected a {what} of .*{names[0]}.*got 'yolo'"):
        load("yolo")


@pytest.mark.parametrize("name", ["grounding_dino", "owlv2", "ow_detr"])
def test_models_without_weights_say_so(name):
    with pytest.raises(UsageError, match=f"{name} needs downloaded weights"):
        registry.load_grounder(name)
