"""Configuration of a generator."""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from pancap.configs.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """An OpenAI-compatible chat endpoint."""

    base_url: str = ""
    """Address up to and with `/v1`; `/chat/completions` is added."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; empty for an endpoint without one."""
    concurrency: int = 32
    """Requests under way at a time."""
    timeout_s: float = 120.0
    """Longest wait for one reply, in seconds."""
    retries: int = 6
    """Further tries after 408, 409, 425, 429, 5xx, a timeout, a lost connection or a body that is no reply."""
    max_wait_s: float = 60.0
    """Longest pause between two tries, in seconds; a longer Retry-After is cut to it."""
    structure: Literal["json_schema", "none"] = "json_schema"
    """How replies are constrained: by `response_format`, or not at all where the endpoint knows no such thing."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit of tokens."""
    body: dict[str, Any] = field(default_factory=dict)
    """Further fields of every request; null takes a field out (`body.temperature=null`)."""

    def check(self) -> None:
        """Raises UsageError for what cannot be meant."""
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise UsageError(
                f"endpoint.base_url must be an http(s) address, got {self.base_url.split('@')[-1]!r}; "
                "give for example http://localhost:8000/v1"
            )
        if address.username or address.password:
            raise UsageError("endpoint.base_url must not hold a password; name its variable in endpoint.api_key_env")
        for name, value, least in (("concurrency", self.concurrency, 1), ("retries", self.retries, 0)):
            if value < least:
                raise UsageError(f"endpoint.{name} must be >= {least}, got {value}")
        for name, seconds in (("timeout_s", self.timeout_s), ("max_wait_s", self.max_wait_s)):
            if not seconds > 0:
                raise UsageError(f"endpoint.{name} must be > 0, got {seconds}")


@dataclass(frozen=True, kw_only=True)
class VllmConfig:
    """vLLM, in this process or on the workers of a Ray cluster."""

    dtype: str = "auto"
    """Number format of the weights, as vLLM names it."""
    max_model_len: int = 8192
    """Longest prompt and reply together, in tokens."""
    tensor_parallel: int = 1
    """GPUs that one copy of the model is spread over."""
    max_in_flight: int = 1024
    """Requests handed to the engine at a time; more than it runs at once, so that it never waits."""
    restarts: int = 2
    """How often a dead engine is started again before the run stops."""
    replicas: int = 1
    """Copies of the model, on Ray."""
    enable_gpu: bool = True
    """On Ray, ask the cluster for GPUs; false runs each copy on a CPU."""
    engine: dict[str, Any] = field(default_factory=dict)
    """Further arguments of vLLM's engine."""

    def check(self) -> None:
        """Raises UsageError for what cannot be meant."""
        for name in ("max_model_len", "tensor_parallel", "max_in_flight", "replicas"):
            if getattr(self, name) < 1:
                raise UsageError(f"vllm.{name} must be >= 1, got {getattr(self, name)}")
        if self.restarts < 0:
            raise UsageError(f"vllm.restarts must be >= 0, got {self.restarts}")


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Which model writes, and where it runs."""

    backend: Literal["endpoint", "vllm", "ray"] = "endpoint"
    """`endpoint` over HTTP · `vllm` in this process, for one machine · `ray` vLLM on Ray Data, for many GPUs."""
    model: str = ""
    """Name that the endpoint knows, or the folder or hub name of the weights."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """For backend endpoint."""
    vllm: VllmConfig = field(default_factory=VllmConfig)
    """For backends vllm and ray."""

    def check(self) -> None:
        """Refuses what cannot be meant, before anything is loaded.

        Raises:
            UsageError: the model or the address is missing, or a number is out of its range.
        """
        if not self.model:
            raise UsageError("model must be named; give the endpoint's name of it, or the folder of its weights")
        (self.endpoint if self.backend == "endpoint" else self.vllm).check()
