"""Work in a thread of its own, its end and its error kept for whoever asks."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def start(work: Callable[[], Result], *, name: str) -> "Future[Result]":
    """Starts it in a thread that does not keep a failed run's process alive."""
    future: Future[Result] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=body, name=name, daemon=True).start()
    return future
