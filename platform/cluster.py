"""Connects to the Ray cluster that a command runs on: a given address, or a quiet local one."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pancap.configs import StoppedError, UsageError

MIN_LOGICAL_CPUS = 4  # two training workers, their controller and one data task at a time
CPU_TIMEOUT_S = 60.0
CPU_TIMEOUT_VARIABLE = "PANCAP_CPU_TIMEOUT_S"
_POLL_S = 0.5


@contextmanager
def ray_session(address: str | None = None, *, num_cpus: float = 0) -> Iterator[None]:
    """Connects to Ray for the length of a command; a local cluster it started ends with it.

    Args:
        address: `ray://...`, `auto`, or None for what RAY_ADDRESS names, else a local cluster with the machine's cores.
        num_cpus: logical CPUs that must be free; waited for up to PANCAP_CPU_TIMEOUT_S seconds (60).

    Raises:
        UsageError: the address does not answer, or the cluster has fewer CPUs.
        StoppedError: the CPUs did not become free in time.
    """
    import ray

    if ray.is_initialized():
        _wait_for_cpus(num_cpus)
        yield
        return
    import ray.data

    # Given its level when ray.data is imported, so set here; what fails is told once, by the command.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    address = address or os.environ.get("RAY_ADDRESS")  # set inside a Ray job; Ray refuses num_cpus beside it
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",  # Ray would take a cluster that `ray start` left running here, and refuse num_cpus
                num_cpus=max(os.cpu_count() or 1, MIN_LOGICAL_CPUS),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=True,
            )
    except ConnectionError as error:
        raise UsageError(f"no Ray cluster answers at {address} ({error}); check RAY_ADDRESS") from error
    except Exception as error:  # Ray gives a start that takes too long no type of its own
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise StoppedError(
            f"Ray did not start ({first_line[:200]}); is the machine busy or short of memory? repeat the command"
        ) from error
    try:
        _wait_for_cpus(num_cpus)
        yield
    finally:
        ray.shutdown()


def _wait_for_cpus(num_cpus: float) -> None:
    """Ray itself would wait for ever, without a word."""
    import ray

    total = ray.cluster_resources().get("CPU", 0.0)
    if total < num_cpus:
        raise UsageError(f"this needs {num_cpus:g} CPUs, the Ray cluster has {total:g}; give it more nodes")
    timeout_s = float(os.environ.get(CPU_TIMEOUT_VARIABLE, CPU_TIMEOUT_S))
    deadline = time.monotonic() + timeout_s
    has_said_so = False
    while (free := ray.available_resources().get("CPU", 0.0)) < num_cpus:
        if time.monotonic() >= deadline:
            raise StoppedError(
                f"{num_cpus:g} free CPUs are needed, got {free:g} of {total:g} after waiting {timeout_s:g} s; "
                "wait for other jobs on the Ray cluster, then repeat the command"
            )
        if not has_said_so:
            print(f"pancap: waiting for {num_cpus:g} free CPUs ({free:g} of {total:g} are)", file=sys.stderr)
            has_said_so = True
        time.sleep(_POLL_S)
