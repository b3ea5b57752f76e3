"""Starts and stops the endpoint on this machine."""

import logging
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pancap.configs import StoppedError, UsageError
from pancap.platform.serving.config import LOOPBACK_HOSTS, ServeConfig

API_KEY_VARIABLE = "PANCAP_API_KEY"


def api_key_from_environment() -> str | None:
    """The key clients must send, or None."""
    return os.environ.get(API_KEY_VARIABLE) or None


@contextmanager
def running_endpoint(
    config: ServeConfig, app: Any, *, api_key: str | None, ready_timeout_s: float = 120
) -> Iterator[str]:
    """Serves an application until the block ends; Ray must be initialised, and what else it serves is left alone.

    Yields:
        The base URL.

    Raises:
        UsageError: the port is taken, or a public address was asked for without an API key (R31).
        StoppedError: no replica became ready in time.
    """
    check_address(config, api_key=api_key)
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # given its level when ray.serve is imported, so set here
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": config.host, "port": config.port, "request_timeout_s": config.request_timeout_s},
        logging_config={"enable_access_log": False, "log_level": "ERROR"},
    )
    try:
        serve.run(app, name="pancap", route_prefix="/", logging_config={"enable_access_log": False})
        url = f"http://{config.host}:{config.port}"
        _wait_until_ready(url, timeout_s=ready_timeout_s)
        yield url
    finally:
        serve.delete("pancap")


def check_address(config: ServeConfig, *, api_key: str | None) -> None:
    """Refuses a taken port and an unprotected public address before anything starts.

    Raises:
        UsageError: with what to change.
    """
    if config.host not in LOOPBACK_HOSTS and api_key is None:
        raise UsageError(
            f"host={config.host} is reachable from outside; set {API_KEY_VARIABLE} so that clients must send a key, "
            "or serve on 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            raise UsageError(
                f"port {config.port} on {config.host} is in use ({error.strerror}); choose another with port=N"
            ) from error


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    raise StoppedError(f"no replica was ready within {timeout_s:.0f} s at {url}; run `pancap doctor`, then serve again")
