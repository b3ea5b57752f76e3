"""Connects to the Ray cluster that a command runs on: a given address, or a quiet local one."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pancap.configs import UsageError

MIN_LOGICAL_CPUS = 4  # two training workers, their controller and one data task at a time


@contextmanager
def ray_session(address: str | None = None) -> Iterator[None]:
    """Connects to Ray for the length of a command; a local cluster it started ends with it.

    Args:
        address: `ray://...`, `auto`, or None for what RAY_ADDRESS names, else a local cluster with the machine's cores.

    Raises:
        UsageError: the address does not answer.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # given its level when ray.data is imported, so set here
    address = address or os.environ.get("RAY_ADDRESS")  # set inside a Ray job; Ray refuses num_cpus beside it
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=max(os.cpu_count() or 1, MIN_LOGICAL_CPUS),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=True,
            )
    except ConnectionError as error:
        raise UsageError(f"no Ray cluster answers at {address} ({error}); check RAY_ADDRESS") from error
    try:
        yield
    finally:
        ray.shutdown()
