import pytest

from pancap.configs import UsageError, load_config
from pancap.llm.config import GeneratorConfig
from pancap.llm.loading import load_generator

GOOD = ["model=m", "endpoint.base_url=http://localhost:1/v1"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("model=''", "model must be named"),
        ("endpoint.base_url=''", "must be an http"),
        ("endpoint.base_url=localhost:8000", "must be an http"),
        ("endpoint.base_url=http://user:secret@host/v1", "must not hold a password"),
        ("endpoint.concurrency=0", r"endpoint\.concurrency must be >= 1"),
        ("endpoint.timeout_s=0", r"endpoint\.timeout_s must be > 0"),
        ("endpoint.api_key_env=PANCAP_NO_SUCH_KEY", "PANCAP_NO_SUCH_KEY .* is not set"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(override, says):
    config, _ = load_config(GeneratorConfig, overrides=[*GOOD, override])
    with pytest.raises(UsageError, match=says) as caught:
        load_generator(config)
    assert "secret" not in str(caught.value)


def test_vllm_settings_are_checked_too():
    config, _ = load_config(GeneratorConfig, overrides=["model=m", "backend=vllm", "vllm.replicas=0"])
    with pytest.raises(UsageError, match=r"vllm\.replicas must be >= 1"):
        load_generator(config)


def test_a_key_is_in_no_representation_of_the_generator(monkeypatch):
    monkeypatch.setenv("PANCAP_TEST_KEY", "canary-1234")
    config, text = load_config(GeneratorConfig, overrides=[*GOOD, "endpoint.api_key_env=PANCAP_TEST_KEY"])
    generator = load_generator(config)
    assert "canary" not in f"{text}{config}{generator.identity}{generator.model}{generator!r}"
    generator.close()


def test_further_fields_change_the_identity():
    plain, _ = load_config(GeneratorConfig, overrides=GOOD)
    changed, _ = load_config(GeneratorConfig, overrides=[*GOOD, "endpoint.body={top_k: 1}"])
    moved, _ = load_config(GeneratorConfig, overrides=[*GOOD, "endpoint.base_url=http://elsewhere:1/v1"])
    identities = [load_generator(config).identity for config in (plain, changed, moved)]
    assert identities[0] != identities[1] and identities[0] == identities[2]
