"""Any endpoint that speaks OpenAI's chat completions."""

import json
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Finish, Follow, Reply, Request
from pancap.llm.config import EndpointConfig

_FIRST_WAIT_S = 0.5
_RETRIED = {408, 409, 425, 429}
_ABOUT_THE_REQUEST = {400, 413, 422}  # this request was not taken; any other 4xx would meet every request
_MAX_FAILED_IN_A_ROW = 8  # requests that failed after all retries before the endpoint counts as gone
_MAX_REFUSED_AT_START = 16  # refused requests without one reply before the configuration counts as wrong
_MAX_ERROR_CHARS = 300
_MAX_REPLY_BYTES = 16_000_000


class EndpointGenerator:
    """Asks over HTTP, a bounded number of requests at a time.

    Args:
        model: name that the endpoint knows.
        config: address, key, limits.

    Raises:
        UsageError: the key's environment variable is not set.
    """

    def __init__(self, model: str, config: EndpointConfig) -> None:
        """Reads the key; nothing is sent yet."""
        import httpx

        self.model = model
        self._config = config
        self._key = _read_key(config.api_key_env)
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=config.timeout_s,
            limits=httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency),
        )
        self._not_before = 0.0  # time.monotonic(); set by a Retry-After, heeded by every thread

    @property
    def identity(self) -> str:
        """Model and further fields; the address is left out, since one model may move."""
        return json.dumps([self.model, self._config.structure, self._config.body], sort_keys=True)

    def generate(self, requests: Iterable[Request], *, follow: Follow | None = None) -> Iterator[tuple[int, Reply]]:
        """See `RollingGenerator.generate`.

        Raises:
            UsageError: the endpoint answered 4xx in a way that every request would meet.
            StoppedError: the endpoint is gone.
        """
        stopping = threading.Event()
        pool = ThreadPoolExecutor(self._config.concurrency, thread_name_prefix="pancap-endpoint")
        left = iter(enumerate(requests))
        running: dict[Future[Reply], int] = {}
        guard = _Guard(self._config.base_url)
        try:
            while True:
                while len(running) < 2 * self._config.concurrency and (item := next(left, None)):
                    running[pool.submit(self._ask, item[1], stopping)] = item[0]
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda future: future.exception() is not None):  # replies before errors
                    reply, place = future.result(), running.pop(future)
                    if follow and (following := follow(place, reply)):
                        running[pool.submit(self._ask, following, stopping)] = place
                    yield place, reply
                    guard.check(reply)
        finally:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _ask(self, request: Request, stopping: threading.Event) -> Reply:
        """One request with its retries."""
        import httpx

        body = self._body(request)
        error = ""
        for attempt in range(self._config.retries + 1):
            if stopping.wait(self._pause_s(attempt)):
                return Reply(text="", finish="failed", error="the run was stopped")
            try:
                response = self._post(body)
            except httpx.TimeoutException:
                error = f"no reply within {self._config.timeout_s:g} s"
                continue
            except httpx.HTTPError as problem:
                error = self._clean(f"{type(problem).__name__}: {problem}")
                continue
            if response.status in _RETRIED or response.status >= 500:
                error = self._describe(response)
                wait_s = min(_retry_after_s(response.retry_after), self._config.max_wait_s)
                self._not_before = max(self._not_before, time.monotonic() + wait_s)
                continue
            if response.status in _ABOUT_THE_REQUEST:
                return Reply(text="", finish="refused", error=self._describe(response))
            if response.status != 200:
                raise UsageError(
                    f"{self._config.base_url} answered {self._describe(response)}; "
                    "check endpoint.base_url, endpoint.api_key_env and model"
                )
            try:
                return read_completion(json.loads(response.content), request=request)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
                error = "the body is no chat completion"
        return Reply(text="", finish="failed", error=error)

    def _post(self, body: dict[str, Any]) -> "_Response":
        """One try, `timeout_s` in all however slowly the endpoint sends."""
        import httpx

        deadline = time.monotonic() + self._config.timeout_s
        content = bytearray()
        with self._client.stream("POST", self._url, json=body) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the reply took too long", request=response.request)
                if len(content) > _MAX_REPLY_BYTES:
                    raise httpx.ReadError("the reply is too large", request=response.request)
        return _Response(
            status=response.status_code, retry_after=response.headers.get("retry-after", ""), content=bytes(content)
        )

    def _pause_s(self, attempt: int) -> float:
        """Before a try: doubling from try to try, half of it jitter; at least what a Retry-After asked of all."""
        backoff_s = min(_FIRST_WAIT_S * 2 ** (attempt - 1), self._config.max_wait_s) if attempt else 0.0
        return max(backoff_s * random.uniform(0.5, 1.0), self._not_before - time.monotonic(), 0.0)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message.to_openai() for message in request.messages],
            self._config.max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
        schema = json.loads(request.schema) if request.schema else _choice_schema(request.choices)
        if schema and self._config.structure == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": request.purpose or "reply", "strict": True, "schema": schema},
            }
        return {name: value for name, value in (body | self._config.body).items() if value is not None}

    def _describe(self, response: "_Response") -> str:
        """`401 (Incorrect API key provided)`."""
        try:
            said = json.loads(response.content)["error"]["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            said = response.content.decode(errors="replace")
        said = self._clean(" ".join(str(said).split()))
        return f"{response.status} ({said})" if said else str(response.status)

    def _clean(self, text: str) -> str:
        """Cut to a sentence's length, and without the key, should the endpoint repeat it."""
        return _whole(text.replace(self._key, "***") if self._key else text)[:_MAX_ERROR_CHARS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    status: int
    retry_after: str
    content: bytes


class _Guard:
    """Ends a run that can only go on failing."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._num_failed = self._num_refused = self._num_good = 0

    def check(self, reply: Reply) -> None:
        self._num_good += reply.is_final
        self._num_refused += reply.finish == "refused"
        self._num_failed = self._num_failed + 1 if reply.finish == "failed" else 0
        if not self._num_good and self._num_refused >= _MAX_REFUSED_AT_START:
            raise UsageError(f"{self._where} refused every request so far, the last with {reply.error}")
        if self._num_failed >= _MAX_FAILED_IN_A_ROW:
            raise StoppedError(
                f"{self._where} failed {self._num_failed} requests in a row, the last with: {reply.error}; start the "
                "same command again when it is back: what was answered so far is kept"
            )


def _read_key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UsageError(f"environment variable {variable} (endpoint.api_key_env) is not set; put the key there")
    return key


def _choice_schema(choices: Sequence[str]) -> dict[str, Any] | None:
    """Choices as the object that `json_schema` endpoints demand."""
    if not choices:
        return None
    return {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }


def read_completion(body: Any, *, request: Request) -> Reply:
    """The reply in a chat completion.

    Raises:
        ValueError, KeyError, TypeError, IndexError, AttributeError: the body is none.
    """
    choice, usage = body["choices"][0], body.get("usage") or {}
    text = _text_of(choice["message"].get("content"))
    finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
    error = ""
    if choice.get("finish_reason") == "content_filter" or choice["message"].get("refusal"):
        finish, error = "filtered", "withheld by the endpoint's content filter"
    return Reply(
        text=_whole(_unwrap(text) if request.choices else text),
        finish=finish,
        error=error,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        completion_tokens=int(usage.get("completion_tokens") or 0),
    )


def _text_of(content: Any) -> str:
    """Of a message's content: text, nothing, or a list of parts, of which those of type `text` count."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str | None):
        raise TypeError(f"content must be text or parts, got {type(content).__name__}")
    return content or ""


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can escape and nothing can write (an emoji that was cut)."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unwrap(text: str) -> str:
    """The choice in `{"answer": "..."}`; other text as it is."""
    try:
        return str(json.loads(text)["answer"])
    except (ValueError, KeyError, TypeError):
        return text


def _retry_after_s(header: str) -> float:
    """Seconds of a Retry-After, which may also be a date; 0 where there is none."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
