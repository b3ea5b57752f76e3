"""The one mapper from exceptions to (status, type, message)."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HttpError(Exception):
    """A refusal with its status, raised by the request reader."""

    status: int
    type: str
    message: str


def to_http(error: BaseException) -> HttpError:
    """What the client is told; anything unforeseen is an internal error without details."""
    from pancap.caption.images import ImageRefusedError

    if isinstance(error, HttpError):
        return error
    if isinstance(error, ImageRefusedError):
        return HttpError(status=422, type="image_refused", message=error.message)
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return HttpError(status=504, type="deadline", message="the request took too long; try again or raise the limit")
    if _is_backpressure(error):
        return HttpError(status=429, type="overloaded", message="too many requests are waiting; try again shortly")
    return HttpError(status=500, type="internal", message="internal error")


def _is_backpressure(error: BaseException) -> bool:
    from ray.serve.exceptions import BackPressureError

    return isinstance(error, BackPressureError)
