from dataclasses import dataclass, field
from typing import Literal

import pytest

from pancap.configs import UsageError
from pancap.configs.loading import describe_config, load_config


@dataclass(frozen=True, kw_only=True)
class Inner:
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class Demo:
    out: str
    num: int = 3
    mode: Literal["chain", "one_stage"] = "chain"
    secret: str | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.num < 1:
            raise ValueError(f"num must be >= 1, got {self.num}; set a positive number")


def test_overrides_beat_the_file_and_the_file_beats_defaults(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text("out: here\nnum: 5\ninner: {width: 16}\n")
    config, _ = load_config(Demo, file, ["num=7"])
    assert config == Demo(out="here", num=7, inner=Inner(width=16))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["out=x", "nun=5"], ["unknown key nun", "did you mean num?"]),
        (["out=x", "inner.widht=5"], ["widht", "inner.width"]),
        (["out=x", "num=many"], ["num", "many"]),
        (["out=x", "mode=both"], ["mode", "both"]),
        (["num=5"], ["out is required", "out=..."]),
        (["out=x", "num=0"], ["num must be >= 1"]),
        (["out=x", "num"], ["expected key=value", "'num'"]),
        (["=3"], ["expected key=value"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_fix(overrides, words):
    with pytest.raises(UsageError) as caught:
        load_config(Demo, None, overrides)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match=r"nowhere\.yaml does not exist"):
        load_config(Demo, "nowhere.yaml", ["out=x"])


def test_the_kept_text_holds_no_resolved_secret(monkeypatch):
    monkeypatch.setenv("PANCAP_TEST_CANARY", "canary-4711")
    config, text = load_config(Demo, None, ["out=x", "secret=${oc.env:PANCAP_TEST_CANARY}"])
    assert config.secret == "canary-4711"
    assert "canary-4711" not in text
    assert "${oc.env:PANCAP_TEST_CANARY}" in text


def test_nested_keys_are_listed():
    assert describe_config(Demo) == ["out", "num", "mode", "secret", "inner", "inner.width"]
