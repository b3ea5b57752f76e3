"""vLLM in this process: the sane way on one machine.

The model is loaded once and serves every batch of a run, replies arrive (and are stored) one by one, and the engine
tells how many prompt tokens its prefix cache served. Ray Data loads the model anew for each batch, which pays only
where the copies on many GPUs make up for it (`pancap.llm.ray_data`).
"""

import itertools
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Follow, Reply, Request
from pancap.llm.config import VllmConfig

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams


_Placed = tuple[int, Request]

_WATCH_EVERY_S = 0.5
_MIN_REPEATED_TOKENS = 8  # shorter ones are no loop: digits of a box, [[111, 111, 222, 222]]
_ABOUT_SPEED = {
    "block_size",
    "distributed_executor_backend",
    "enable_prefix_caching",
    "enforce_eager",
    "gpu_memory_utilization",
    "max_num_batched_tokens",
    "max_num_seqs",
    "swap_space",
}


class VllmGenerator:
    """One engine, kept full: a new request is handed over whenever one is done.

    Args:
        model: folder or hub name of the weights.
        config: engine settings.
    """

    def __init__(self, model: str, config: VllmConfig) -> None:
        """Loads nothing yet."""
        self.model = model
        self._config = config
        self._engine: LLM | None = None

    @property
    def identity(self) -> str:
        """Model and number format; how the work is spread does not count."""
        return vllm_identity(self.model, self._config)

    def generate(self, requests: Iterable[Request], *, follow: Follow | None = None) -> Iterator[tuple[int, Reply]]:
        """See `RollingGenerator.generate`; what a dead engine left undone is given to a new one.

        Raises:
            UsageError: vLLM is missing or cannot load the model.
            StoppedError: the engine died more often than `restarts`.
        """
        queue = _Queue(requests)
        running: dict[str, _Placed] = {}
        num_deaths = 0
        try:
            while running or queue.has_more():
                try:
                    for place, reply in itertools.chain(self._fill(queue, running), self._step(running)):
                        if follow and (following := follow(place, reply)):
                            queue.put_first((place, following))
                        yield place, reply
                except _engine_errors() as error:
                    num_deaths += 1
                    self.close()
                    if num_deaths > self._config.restarts:
                        raise StoppedError(
                            f"the vLLM engine of {self.model} died {num_deaths} times; start the same command again: "
                            "what was answered so far is kept"
                        ) from error
                    queue.put_first(*sorted(running.values(), key=lambda placed: placed[0]))
                    running.clear()
        finally:
            if running:  # the caller stopped listening; these would surface in the next batch
                self.close()

    def close(self) -> None:
        """Ends the engine's process and frees its memory."""
        if self._engine is not None:
            self._engine.llm_engine.engine_core.shutdown()
            self._engine = None

    def _fill(self, queue: "_Queue", running: dict[str, "_Placed"]) -> Iterator[tuple[int, Reply]]:
        """Hands over as many as may run at a time; yields those that the engine does not take."""
        if self._engine is None:
            self._engine = _start(self.model, self._config)
            _wake_when_dead(self._engine)
        engine = self._engine
        while len(running) < self._config.max_in_flight and queue.has_more():
            place, request = queue.first
            messages: list[Any] = [message.to_openai() for message in request.messages]
            try:
                sampling = _sampling(request, tokenizer=engine.get_tokenizer())
                (name,) = engine.enqueue_chat([messages], sampling, use_tqdm=False)
                running[external_id(name)] = place, request
                refused = None
            except _request_errors() as error:
                refused = Reply(text="", finish="refused", error=str(error).splitlines()[0][:300])
            queue.take_first()
            if refused:
                yield place, refused

    def _step(self, running: dict[str, "_Placed"]) -> Iterator[tuple[int, Reply]]:
        """Waits for the engine's next outputs; yields the replies that are complete."""
        if self._engine is None or not running:
            return
        for output in self._engine.llm_engine.step():
            if output.finished:
                place, request = running.pop(external_id(output.request_id))
                yield place, _reply(output, choices=request.choices)


class _Queue:
    """What waits for the engine: conversations under way, then new ones, which are taken when their turn comes."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._new = enumerate(requests)
        self._waiting: deque[_Placed] = deque()

    def has_more(self) -> bool:
        if not self._waiting:
            self._waiting.extend(itertools.islice(self._new, 1))
        return bool(self._waiting)

    @property
    def first(self) -> "_Placed":
        return self._waiting[0]

    def take_first(self) -> None:
        self._waiting.popleft()

    def put_first(self, *placed: "_Placed") -> None:
        self._waiting.extendleft(reversed(placed))


def vllm_identity(model: str, config: VllmConfig) -> str:
    """What changes the replies of a vLLM engine: model, number format, and arguments that are not about speed alone."""
    engine = {name: value for name, value in config.engine.items() if name not in _ABOUT_SPEED}
    return json.dumps([model, config.dtype, engine], sort_keys=True)


def engine_arguments(config: VllmConfig) -> dict[str, Any]:
    """Engine arguments, the user's own last."""
    return {
        "dtype": config.dtype,
        "max_model_len": config.max_model_len,
        "tensor_parallel_size": config.tensor_parallel,
        "enable_prefix_caching": True,
        # Said for the engine: vLLM 0.32 heeds it in no request, and small models then fill replies with line ends.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        **config.engine,
    }


def sampling_arguments(request: Request) -> dict[str, Any]:
    """Arguments of `SamplingParams`, the constraint as a plain dict under `structured_outputs`."""
    arguments: dict[str, Any] = {
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
    }
    if request.rules:
        arguments["extra_args"] = {"rules": request.rules}
    if request.schema:
        arguments["structured_outputs"] = {"json": request.schema}
    elif request.choices:
        arguments["structured_outputs"] = {"choice": list(request.choices)}
    return arguments


def choice_tokens(choices: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Tokens of each choice where all have equally many: such a reply is complete without an end token.

    Empty where there are none, where their numbers differ, or where a text begins with other tokens alone than after a
    prompt (SentencePiece puts a space before it).

    Args:
        choices: see `Request`.
        tokenizer: the model's, of transformers.
    """
    encoded = [tokenizer.encode(choice, add_special_tokens=False) for choice in choices]
    if len(set(map(len, encoded))) != 1:
        return []
    starts = tokenizer.convert_ids_to_tokens([tokens[0] for tokens in encoded])
    return encoded if all(choice.startswith(start) for choice, start in zip(choices, starts, strict=True)) else []


def external_id(name: str) -> str:
    """The engine appends to a request's id what makes it unique; outputs come under the id alone."""
    return name.split("-")[0]


def _start(model: str, config: VllmConfig) -> "LLM":
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        from vllm import LLM
    except ImportError as error:
        raise UsageError("backend=vllm needs vLLM; install pancap[gpu], or pancap[cpu] without a GPU") from error
    try:
        return LLM(model, disable_log_stats=False, **engine_arguments(config))
    except (OSError, ValueError) as error:
        raise UsageError(f"vLLM cannot load model {model} ({str(error).splitlines()[0][:300]})") from error


def _wake_when_dead(engine: "LLM") -> None:
    """Wakes who waits for an engine that was killed: vLLM 0.32 notices its end, and leaves them waiting for ever."""
    core = engine.llm_engine.engine_core
    if not hasattr(core, "outputs_queue"):  # an engine inside this process, which cannot end alone
        return

    def watch() -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        while not core.resources.engine_dead:
            time.sleep(_WATCH_EVERY_S)
        core.outputs_queue.put_nowait(EngineDeadError())

    threading.Thread(target=watch, name="pancap-engine-watch", daemon=True).start()


def _sampling(request: Request, *, tokenizer: Any) -> "SamplingParams":
    from vllm import SamplingParams
    from vllm.sampling_params import RepetitionDetectionParams, StructuredOutputsParams

    arguments = sampling_arguments(request)
    if request.repeat_window:
        arguments["repetition_detection"] = RepetitionDetectionParams(
            max_pattern_size=request.repeat_window,
            min_pattern_size=min(request.repeat_window, _MIN_REPEATED_TOKENS),
            min_count=3,
        )
    constraint = arguments.pop("structured_outputs", None)
    if tokens := choice_tokens(request.choices, tokenizer):
        arguments["max_tokens"] = min(request.max_tokens, len(tokens[0]))
        arguments["allowed_token_ids"] = sorted({token for choice in tokens for token in choice})
    return SamplingParams(**arguments, structured_outputs=StructuredOutputsParams(**constraint) if constraint else None)


def _reply(output: "RequestOutput", *, choices: Sequence[str]) -> Reply:
    completion = output.outputs[0]
    if completion.finish_reason not in ("stop", "length", "repetition"):
        return Reply(text="", finish="refused", error=f"the engine ended it with {completion.finish_reason}")
    return Reply(
        text=completion.text,
        finish="stop" if completion.finish_reason == "stop" or completion.text in choices else "length",
        prompt_tokens=len(output.prompt_token_ids or ()),
        cached_tokens=output.num_cached_tokens,
        completion_tokens=len(completion.token_ids),
    )


def _request_errors() -> tuple[type[Exception], ...]:
    """What the engine raises at a request that it does not take."""
    from vllm.exceptions import VLLMClientError

    return (ValueError, VLLMClientError)


def _engine_errors() -> tuple[type[Exception], ...]:
    """The error of a dead engine; none can occur before vLLM is imported."""
    module = sys.modules.get("vllm.v1.engine.exceptions")
    return (module.EngineDeadError,) if module else ()
