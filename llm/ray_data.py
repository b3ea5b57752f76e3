"""vLLM on Ray Data (`ray.data.llm`): as many copies of the model as the cluster has room for.

A batch is one Ray Data execution, which loads the model on every replica and spreads the requests; Ray restarts a
replica that dies and gives its requests to another. So hand over many requests at a time.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Follow, Reply, Request
from pancap.llm.config import VllmConfig
from pancap.llm.in_process import engine_arguments, sampling_arguments, vllm_identity

_ROWS_PER_BATCH = 64
_ERROR = "__inference_error__"


class RayDataGenerator:
    """Replicas of a model on the Ray cluster that is connected, or on one that is started here.

    Args:
        model: folder (that every node can read) or hub name of the weights.
        config: engine settings and the number of replicas.
    """

    def __init__(self, model: str, config: VllmConfig) -> None:
        """Starts nothing yet."""
        self.model = model
        self._config = config

    @property
    def identity(self) -> str:
        """As in process: where a model runs does not count."""
        return vllm_identity(self.model, self._config)

    def generate(self, requests: Iterable[Request], *, follow: Follow | None = None) -> Iterator[tuple[int, Reply]]:
        """See `RollingGenerator.generate`; here all conversations take a step before one takes the next.

        Each step is one execution of Ray Data over all requests, for which the copies of the model are loaded anew.

        Raises:
            UsageError: Ray or vLLM is missing.
            StoppedError: the execution failed as a whole.
        """
        asked = dict(enumerate(requests))
        while asked:
            following = {}
            for place, reply in self._take_step(asked):
                if follow and (request := follow(place, reply)):
                    following[place] = request
                yield place, reply
            asked = following

    def _take_step(self, requests: Mapping[int, Request]) -> Iterator[tuple[int, Reply]]:
        """One reply to each request."""
        try:
            import ray
            from ray.data.llm import build_processor
        except ImportError as error:
            raise UsageError("backend=ray needs Ray and vLLM; install pancap[gpu], or pancap[cpu]") from error
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            for rows in _by_constraint(requests):
                config = self._processor_config(has_images=any(requests[row["place"]].has_images for row in rows))
                processor = build_processor(config, preprocess=_unpack, postprocess=_pack)
                num_blocks = max(self._config.replicas, -(-len(rows) // _ROWS_PER_BATCH))
                for row in processor(ray.data.from_items(rows, override_num_blocks=num_blocks)).iter_rows():
                    yield int(row["place"]), _reply(row, requests[int(row["place"])])
        except ray.exceptions.RayError as error:
            raise StoppedError(
                f"Ray Data stopped ({str(error).splitlines()[0][:300]}); start the same command again: "
                "what was answered so far is kept"
            ) from error

    def close(self) -> None:
        """Nothing is held between batches."""

    def _processor_config(self, *, has_images: bool) -> Any:
        from ray.data.llm import vLLMEngineProcessorConfig

        # Without a placement of our own, Ray asks for as many GPUs as a replica needs.
        on_cpu = {"bundles": [{"CPU": 1}] * self._config.tensor_parallel}
        return vLLMEngineProcessorConfig(
            model_source=self.model,
            engine_kwargs=engine_arguments(self._config),
            runtime_env={"env_vars": {"VLLM_NO_USAGE_STATS": "1"}},
            batch_size=_ROWS_PER_BATCH,
            concurrency=self._config.replicas,
            accelerator_type=None,
            placement_group_config=None if self._config.enable_gpu else on_cpu,
            prepare_multimodal_stage={"enabled": has_images, "chat_template_content_format": "openai"},
            tokenize_stage=False,
            detokenize_stage=False,
            should_continue_on_error=True,
        )


def check_image_stage() -> None:
    """Refuses images, before anything is loaded, where Ray cannot pass them on: 2.60 imports what vLLM 0.32 has moved.

    Raises:
        UsageError: the module is not there.
    """
    if find_spec("vllm") is not None and find_spec("vllm.entrypoints.chat_utils") is None:
        raise UsageError(
            "backend=ray cannot hand images to this vLLM: Ray's stage for them needs vllm.entrypoints.chat_utils, "
            "which it lacks; take backend=vllm, or versions of Ray and vLLM that fit each other"
        )


def _by_constraint(requests: Mapping[int, Request]) -> list[list[dict[str, Any]]]:
    """Rows in groups of one constraint, which Arrow can give one type; a judge's batch is one group."""
    groups: dict[tuple[bool, ...], list[dict[str, Any]]] = {}
    for place, request in requests.items():
        row = {
            "place": place,
            "messages_json": json.dumps([message.to_openai() for message in request.messages]),
            "sampling_json": json.dumps(sampling_arguments(request)),
        }
        kind = bool(request.schema), bool(request.choices), bool(request.rules), request.has_images
        groups.setdefault(kind, []).append(row)
    return list(groups.values())


def _unpack(row: dict[str, Any]) -> dict[str, Any]:
    """Back to what Ray's stages read."""
    return {
        "place": row["place"],
        "messages": json.loads(row["messages_json"]),
        "sampling_params": json.loads(row["sampling_json"]),
    }


def _pack(row: dict[str, Any]) -> dict[str, Any]:
    """The few columns that are read; rows with an error come without this."""
    return {name: row[name] for name in ("place", "generated_text", "num_input_tokens", "num_generated_tokens")}


def _reply(row: dict[str, Any], request: Request) -> Reply:
    """Ray Data tells neither why a reply ended nor what was cached; a reply of full length counts as cut."""
    if row.get(_ERROR):
        return Reply(text="", finish="refused", error=str(row[_ERROR]).splitlines()[0][:300])
    num_tokens = int(row["num_generated_tokens"])
    return Reply(
        text=row["generated_text"],
        finish="length" if num_tokens >= request.max_tokens else "stop",
        prompt_tokens=int(row["num_input_tokens"]),
        completion_tokens=num_tokens,
    )
