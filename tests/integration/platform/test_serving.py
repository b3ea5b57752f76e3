"""The HTTP endpoint on a real Ray Serve, with a stand-in captioner (the real one: tests/e2e)."""

import base64
import io
import json
import socket

import httpx
import numpy as np
import pytest
import ray
from PIL import Image

from pancap.caption import Box, Entity
from pancap.configs import UsageError
from pancap.platform.serving.app import build_app
from pancap.platform.serving.config import ServeConfig
from pancap.platform.serving.server import check_address, free_port, running_endpoint

KEY = "a-key-for-this-test"


def load_stand_in(checkpoint):
    from types import SimpleNamespace

    class StandIn:
        mode = "chain"
        backend = SimpleNamespace(coordinates="tokens")

        def caption(self, images):
            entity = Entity(id=1, tag="sky", box=Box(0.0, 0.0, 1.0, 0.5))
            return [
                SimpleNamespace(
                    caption=f"A picture {image.shape[1]} wide.",
                    entities=(entity,),
                    confidences=(0.75,),
                    stages={"loc": "a", "tag": "b", "disc": "None", "cap": "c"},
                    timings_s={"cap": 0.1},
                )
                for image in images
            ]

    return StandIn()


def png(width=30, height=20):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def endpoint():
    import sys

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    config = ServeConfig(port=free_port(), max_body_bytes=1_000_000)
    try:
        app = build_app(config, load=load_stand_in, api_key=KEY)
        with (
            running_endpoint(config, app, api_key=KEY) as url,
            httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=20) as client,
        ):
            yield client
    finally:
        ray.shutdown()


def test_multipart_and_base64_give_the_same_caption(endpoint):
    multipart = endpoint.post("/v1/caption", files={"image": ("a.png", png(), "image/png")})
    encoded = endpoint.post("/v1/caption", json={"image": base64.b64encode(png()).decode()})
    assert multipart.status_code == 200, multipart.text
    assert multipart.status_code == encoded.status_code == 200
    answer = multipart.json()
    assert answer["caption"] == encoded.json()["caption"] == "A picture 30 wide."
    assert answer["entities"] == [{"tag": "sky", "box": [0.0, 0.0, 1.0, 0.5], "confidence": 0.75}]
    assert set(answer["stages"]) == {"loc", "tag", "disc", "cap"}
    assert answer["image"]["width"] == 30
    assert answer["timings_s"]["total"] > 0
    assert answer["model"] == {"checkpoint": "nano", "mode": "chain", "coordinates": "tokens"}


def test_health_and_openapi_are_open_and_the_caption_route_is_not(endpoint):
    with httpx.Client(base_url=endpoint.base_url) as stranger:
        assert stranger.get("/healthz").json() == {"status": "ok"}
        assert "/v1/caption" in stranger.get("/openapi.json").json()["paths"]
        refused = stranger.post("/v1/caption", json={"image": "aaaa"})
        assert refused.status_code == 401
        wrong = stranger.post("/v1/caption", json={"image": "aaaa"}, headers={"x-api-key": "wrong"})
        assert wrong.status_code == 401
        right = stranger.post("/v1/caption", files={"image": png()}, headers={"x-api-key": KEY})
        assert right.status_code == 200


@pytest.mark.parametrize(
    ("status", "kind", "request_kwargs"),
    [
        (400, "json", {"content": b"{", "headers": {"content-type": "application/json"}}),
        (400, "json", {"content": b"[" * 200_000, "headers": {"content-type": "application/json"}}),
        (400, "json", {"content": b"\xff\xfe\x00", "headers": {"content-type": "application/json"}}),
        (422, "fields", {"json": {"image": 3}}),
        (422, "fields", {"json": {"image": "aaaa", "boxes": [float("1e308")] * 3}}),
        (422, "fields", {"json": []}),
        (422, "base64", {"json": {"image": "iVBORw0KGgo=!!"}}),
        (422, "image_refused", {"json": {"image": base64.b64encode(png()[:40]).decode()}}),
        (422, "image_refused", {"json": {"image": base64.b64encode(b"<html></html>").decode()}}),
        (413, "too_large", {"content": b"x" * 1_500_000, "headers": {"content-type": "application/json"}}),
        (415, "content_type", {"content": b"x", "headers": {"content-type": "text/plain"}}),
        (422, "fields", {"files": {"other": png()}}),
        (
            422,
            "fields",
            {"content": b"--x\r\nrubbish", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        ),
        (400, "multipart", {"content": b"rubbish", "headers": {"content-type": "multipart/form-data"}}),
    ],
)
def test_malformed_requests_get_a_4xx_with_a_reason_and_the_endpoint_lives_on(endpoint, status, kind, request_kwargs):
    """R20, R21."""
    answer = endpoint.post("/v1/caption", **request_kwargs)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert answer.elapsed.total_seconds() < 5
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in json.dumps(answer.json())
    assert endpoint.get("/healthz").status_code == 200


def test_a_taken_port_and_an_open_public_address_are_refused_before_start():
    """R31."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="in use"):
            check_address(ServeConfig(port=taken.getsockname()[1]), api_key=None)
    with pytest.raises(UsageError, match="PANCAP_API_KEY"):
        check_address(ServeConfig(host="0.0.0.0", port=free_port()), api_key=None)
