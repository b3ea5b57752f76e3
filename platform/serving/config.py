"""Settings of the endpoint."""

from dataclasses import dataclass

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """What `pancap serve` serves and how; the API key comes from the environment (PANCAP_API_KEY) alone."""

    model: str = "nano"
    """Folder of a trained chain, or the name of a shipped one."""
    host: str = "127.0.0.1"
    """Address to bind; any other than loopback needs an API key."""
    port: int = 8000
    """TCP port."""
    num_replicas: int = 1
    """Copies of the model; use min_replicas / max_replicas to autoscale instead."""
    min_replicas: int | None = None
    """With max_replicas: autoscale between the two."""
    max_replicas: int | None = None
    """With min_replicas: autoscale between the two."""
    target_ongoing_requests: int = 8
    """Requests under way a replica that autoscaling aims at."""
    max_ongoing_requests: int = 16
    """Requests that one replica works on at once."""
    max_queued_requests: int = 64
    """Further requests wait up to this many, then get 429."""
    max_batch_size: int = 8
    """Images decoded together."""
    batch_wait_s: float = 0.02
    """How long a batch waits to fill."""
    request_timeout_s: float = 120.0
    """Deadline of one request."""
    max_body_bytes: int = 20_000_000
    """Largest request body."""

    def __post_init__(self) -> None:
        """Refuses settings that cannot work."""
        if not 0 < self.port < 65536:
            raise ValueError(f"port must be 1..65535, got {self.port}")
        if (self.min_replicas is None) != (self.max_replicas is None):
            raise ValueError("min_replicas and max_replicas go together; set both or neither")
        if self.target_ongoing_requests > self.max_ongoing_requests:
            raise ValueError(
                f"target_ongoing_requests ({self.target_ongoing_requests}) must be <= max_ongoing_requests "
                f"({self.max_ongoing_requests}), else autoscaling never scales up"
            )
        for name in ("num_replicas", "max_ongoing_requests", "max_queued_requests", "max_batch_size", "max_body_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
