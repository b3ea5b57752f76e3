"""`pancap serve`: the endpoint in the foreground, until Ctrl-C."""

import signal
import sys
from collections.abc import Sequence

from pancap.configs import load_config
from pancap.platform.cluster import ray_session
from pancap.platform.serving.config import ServeConfig


def run(*, overrides: Sequence[str], config: str | None) -> None:
    """Serves until interrupted."""
    settings, _ = load_config(ServeConfig, config, overrides)
    from pancap.chain.captioner import load_captioner
    from pancap.platform.serving.app import build_app
    from pancap.platform.serving.server import api_key_from_environment, check_address, running_endpoint

    api_key = api_key_from_environment()
    check_address(settings, api_key=api_key)
    load_captioner(settings.model)  # a missing checkpoint is refused here, not in a replica
    with (
        ray_session(num_cpus=1),
        running_endpoint(settings, build_app(settings, load=load_captioner, api_key=api_key), api_key=api_key) as url,
    ):
        print(f"serving {settings.model} at {url}")
        print(f"  try it:  curl -F image=@photo.jpg {url}/v1/caption")
        print(f"  API:     {url}/docs        stop: Ctrl-C", flush=True)
        stop = signal.sigwait({signal.SIGINT, signal.SIGTERM})
    sys.exit(130 if stop == signal.SIGINT else 143)
