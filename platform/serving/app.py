"""The Ray Serve application: a thin HTTP ingress in front of batched replicas of the chain."""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from pancap.platform.serving.config import ServeConfig

logger = logging.getLogger(__name__)


def build_app(config: ServeConfig, *, load: Callable[[str], Any], api_key: str | None = None) -> Any:
    """The application, ready for `serve.run`.

    Args:
        config: what to serve.
        load: makes a `pancap.chain.captioner.Captioner` from the checkpoint; called once a replica.
        api_key: clients must send it; None leaves the endpoint open (loopback only).

    Returns:
        A bound `ray.serve` application.
    """
    from ray import serve
    from ray.serve.config import BackpressureConfig

    scale: dict[str, Any] = {"num_replicas": config.num_replicas}
    if config.min_replicas is not None:
        scale = {
            "autoscaling_config": {
                "min_replicas": config.min_replicas,
                "max_replicas": config.max_replicas,
                "target_ongoing_requests": config.target_ongoing_requests,
            }
        }
    model = serve.deployment(_ChainReplica).options(
        name="chain",
        max_ongoing_requests=config.max_ongoing_requests,
        max_queued_requests=config.max_queued_requests,
        ray_actor_options={"num_cpus": 1},
        health_check_period_s=10,
        **scale,
    )
    ingress_app = build_http(config, api_key=api_key)
    ingress = serve.deployment(serve.ingress(ingress_app)(_Ingress)).options(
        name="http",
        max_ongoing_requests=4 * (config.max_queued_requests + config.max_ongoing_requests),
        max_queued_requests=config.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        ray_actor_options={"num_cpus": 0},
    )
    return ingress.bind(model.bind(config, load), config)


class _ChainReplica:
    """One copy of the model; requests that arrive together are decoded together."""

    def __init__(self, config: ServeConfig, load: Callable[[str], Any]) -> None:
        from ray import serve

        self._model = config.model
        self._captioner = load(config.model)
        self._batched = serve.batch(
            self._caption_batch, max_batch_size=config.max_batch_size, batch_wait_timeout_s=config.batch_wait_s
        )

    async def caption(self, rgb: Any) -> Any:
        """One image in, one ChainResult out."""
        return await self._batched(rgb)

    def describe(self) -> dict[str, str]:
        """Which model answers."""
        captioner = self._captioner
        return {
            "checkpoint": self._model,
            "mode": captioner.mode,
            "coordinates": captioner.backend.coordinates,
        }

    async def _caption_batch(self, images: list[Any]) -> list[Any]:
        return await asyncio.to_thread(self._captioner.caption, images)


class _Ingress:
    """Holds what the HTTP handlers need."""

    def __init__(self, chain: Any, config: ServeConfig) -> None:
        self._chain = chain
        self._config = config

    async def caption(self, data: bytes) -> dict[str, Any]:
        """Decodes, captions and shapes one answer (without its request id)."""
        from pancap.caption.images import load_image

        started = time.perf_counter()
        image = await asyncio.to_thread(load_image, data)
        decoded = time.perf_counter()
        result = await asyncio.wait_for(self._chain.caption.remote(image.rgb), self._config.request_timeout_s)
        about = await self._chain.describe.remote()
        height, width = image.rgb.shape[:2]
        return {
            "image": {"sha256": hashlib.sha256(data).hexdigest(), "width": width, "height": height},
            "caption": result.caption,
            "entities": [
                {"tag": entity.tag, "box": entity.box.as_tuple() if entity.box else None, "confidence": confidence}
                for entity, confidence in zip(result.entities, result.confidences, strict=True)
            ],
            "stages": result.stages,
            "timings_s": {
                "image": decoded - started,
                **result.timings_s,
                "total": time.perf_counter() - started,
            },
            "model": about,
        }

    async def is_ready(self) -> bool:
        """A model replica answers."""
        await asyncio.wait_for(self._chain.describe.remote(), 10)
        return True


def build_http(config: ServeConfig, *, api_key: str | None) -> Any:
    """The FastAPI application with its routes; the handlers find their `_Ingress` through Serve's replica context."""
    from fastapi import Request
    from fastapi.responses import JSONResponse
    from fastapi_offline import FastAPIOffline

    from pancap.platform.serving.errors import to_http
    from pancap.platform.serving.requests import check_key, read_image_bytes
    from pancap.platform.serving.schemas import CaptionRequest, CaptionResponse, ErrorResponse

    app = FastAPIOffline(  # its /docs page loads nothing from outside
        title="pancap", version="1", description="Panoptic captions: every entity, its box, and what it does."
    )

    def answer_error(error: BaseException, request_id: str) -> JSONResponse:
        refusal = to_http(error)
        if refusal.status == 500:
            logger.exception("request %s failed", request_id, exc_info=error)
        body = {"error": {"type": refusal.type, "message": refusal.message, "request_id": request_id}}
        headers = {"Retry-After": "1"} if refusal.status == 429 else {}
        return JSONResponse(body, status_code=refusal.status, headers=headers)

    form = {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}, "required": ["image"]}
    request_body = {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "application/json": {"schema": CaptionRequest.model_json_schema()},
        },
    }
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorResponse} for status in (400, 401, 413, 415, 422, 429, 500, 504)
    }

    @app.post(
        "/v1/caption",
        response_model=CaptionResponse,
        responses=refusals,
        openapi_extra={"requestBody": request_body},
        summary="Caption one image",
    )
    async def caption(request: Request) -> Any:
        request_id = request.headers.get("x-request-id") or uuid.uuid4().hex  # Serve's proxy sets one
        try:
            check_key(request, api_key)
            data = await read_image_bytes(request, max_body_bytes=config.max_body_bytes)
            answer = await _ingress().caption(data)
        except Exception as error:
            return answer_error(error, request_id)
        return JSONResponse({"request_id": request_id, **answer})

    @app.get("/healthz", summary="Is a model ready to answer?")
    async def healthz() -> Any:
        try:
            await _ingress().is_ready()
        except Exception:
            return JSONResponse({"status": "starting"}, status_code=503)
        return {"status": "ok"}

    return app


def _ingress() -> _Ingress:
    from ray import serve

    return serve.get_replica_context().servable_object
