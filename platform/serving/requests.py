"""Reads an image out of a request, whatever its form; everything malformed gets a 4xx with its reason (R20)."""

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Any

from pancap.platform.serving.errors import HttpError

if TYPE_CHECKING:
    from starlette.requests import Request

MULTIPART_FIELD = "image"


def check_key(request: "Request", api_key: str | None) -> None:
    """Compares the bearer token or X-API-Key with the configured key in constant time (R31).

    Raises:
        HttpError: 401, where a key is configured and the request has another or none.
    """
    if api_key is None:
        return
    bearer = request.headers.get("authorization", "")
    offered = bearer[7:] if bearer.lower().startswith("bearer ") else request.headers.get("x-api-key", "")
    if not hmac.compare_digest(offered.encode(), api_key.encode()):
        raise HttpError(status=401, type="unauthorized", message="send the API key as a bearer token or X-API-Key")


async def read_image_bytes(request: "Request", *, max_body_bytes: int) -> bytes:
    """The bytes of the image file in a JSON (base64) or multipart request.

    Raises:
        HttpError: 400 malformed, 413 too large, 415 another content type, 422 wrong fields.
    """
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type not in ("application/json", "multipart/form-data"):
        message = f"expected application/json or multipart/form-data, got {content_type or 'no content type'}"
        raise HttpError(status=415, type="content_type", message=message)
    body = await _read_body(request, max_body_bytes=max_body_bytes)
    if content_type == "application/json":
        return _image_of_json(body)
    return await _image_of_multipart(request, body)


async def _read_body(request: "Request", *, max_body_bytes: int) -> bytes:
    too_large = HttpError(status=413, type="too_large", message=f"the body is larger than {max_body_bytes} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_body_bytes:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _image_of_json(body: bytes) -> bytes:
    from pydantic import ValidationError

    from pancap.platform.serving.schemas import CaptionRequest

    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HttpError(status=400, type="json", message="the body is not valid JSON") from error
    try:
        encoded = CaptionRequest.model_validate(values).image
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise HttpError(status=422, type="fields", message=f"{where}: {first['msg']}") from error
    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HttpError(status=422, type="base64", message="image is not valid base64") from error


async def _image_of_multipart(request: "Request", body: bytes) -> bytes:
    from starlette.datastructures import UploadFile
    from starlette.exceptions import HTTPException
    from starlette.formparsers import MultiPartException
    from starlette.requests import Request

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, replay).form(max_files=1, max_fields=4)
    except (MultiPartException, HTTPException, KeyError, ValueError) as error:
        raise HttpError(status=400, type="multipart", message="the multipart body cannot be read") from error
    upload = form.get(MULTIPART_FIELD)
    if not isinstance(upload, UploadFile):
        message = f"expected one file in the field {MULTIPART_FIELD!r}"
        raise HttpError(status=422, type="fields", message=message)
    return await upload.read()
