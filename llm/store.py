"""Replies on disk, so that nothing is ever asked twice and a killed run goes on where it was.

One JSON object a line, appended in one write each. A killed process loses nothing that was written; the disk is synced
at least once a second and when a batch ends, so a power cut loses a second at most. A line that was cut by the end of
its process is dropped at the next start.
"""

import fcntl
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pancap.configs.errors import StoppedError, UsageError
from pancap.llm.base import Generator, Reply, Request

_SYNC_EVERY_S = 1.0


class ReplyStore:
    """Replies by the content of what was asked; one process at a time writes a file.

    Args:
        path: JSONL file; made with its folders where missing.

    Raises:
        UsageError: the file cannot be opened, another run has it open, or a line of it is no reply.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens or makes the file, drops a torn last line, and notes where each reply stands."""
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UsageError(f"store {self.path} cannot be opened ({error.strerror}); name another one") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise UsageError(f"{self.path} is in use by another run; wait for it, or name another store") from error
        try:
            self._places = self._read_places()
        except UsageError:
            self.close()
            raise
        self._end = os.fstat(self._file).st_size
        self._synced_at = time.monotonic()

    def __len__(self) -> int:
        """Replies kept."""
        return len(self._places)

    def get(self, key: str) -> Reply | None:
        """The reply kept under a key, if any."""
        if key not in self._places:
            return None
        start, size = self._places[key]
        record: dict[str, Any] = json.loads(os.pread(self._file, size, start))
        return Reply(**record["reply"])

    def add(self, key: str, reply: Reply, *, about: Mapping[str, str]) -> None:
        """Keeps a reply.

        Args:
            key: see `request_key`.
            reply: what came back.
            about: what a reader of the file wants to know (model, purpose, prompt).

        Raises:
            StoppedError: the disk is full or gone.
        """
        fields = {
            name: value for name in Reply.__dataclass_fields__ if (value := getattr(reply, name)) not in ("", None)
        }
        record = {"key": key, **about, "reply": {"text": "", **fields}}
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        try:
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, self._end)
                raise OSError("no space left for a whole line")
            if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
                self.sync()
        except OSError as error:
            raise StoppedError(
                f"cannot write {self.path} ({error.strerror or error}); make room and start the same command again: "
                "what was answered so far is kept"
            ) from error
        self._places[key] = (self._end, len(line))
        self._end += len(line)

    def sync(self) -> None:
        """Waits until everything is on the disk."""
        os.fsync(self._file)
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Syncs and lets another run have the file; a second call does nothing."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _read_places(self) -> dict[str, tuple[int, int]]:
        places: dict[str, tuple[int, int]] = {}
        start = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, start)
                    break
                try:
                    record = json.loads(line)
                    Reply(**record["reply"])
                    places[record["key"]] = (start, len(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise UsageError(
                        f"line {number} of {self.path} is no stored reply; take it out, or name another store"
                    ) from error
                start += len(line)
        return places


def request_key(identity: str, request: Request) -> str:
    """Hash of everything that a reply depends on: the generator's identity and the request, its purpose apart."""
    content: list[Any] = [
        identity,
        [[message.role, message.text] for message in request.messages],
        [request.max_tokens, request.schema, list(request.choices), request.temperature, request.seed],
    ]
    if (
        request.rules or request.repeat_window or request.has_images
    ):  # left out elsewhere, so that replies kept by earlier versions are found
        images = [[hashlib.sha256(image).hexdigest() for image in message.images] for message in request.messages]
        content.append([request.rules, request.repeat_window, images])
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(slots=True)
class Usage:
    """What requests of one purpose cost.

    Args:
        asked: requests that were generated now.
        reused: requests answered from the store, or by an equal request of the same run.
        prompt_tokens, completion_tokens: of those generated now; see `Reply`.
        cached_tokens: of the prompt tokens; None while no reply has told.
    """

    asked: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0


class StoredGenerator:
    """A generator that remembers: equal requests are generated once, ever.

    Args:
        generator: asked what the store does not hold.
        store: where replies are kept.
        about: written beside each reply, for a reader of the file.
    """

    def __init__(self, generator: Generator, store: ReplyStore, *, about: Mapping[str, str] | None = None) -> None:
        """Asks nothing yet."""
        self._generator = generator
        self._store = store
        self._about = {"model": generator.model, **(about or {})}
        self.usage: dict[str, Usage] = defaultdict(Usage)

    @property
    def model(self) -> str:
        """The model behind it."""
        return self._generator.model

    @property
    def identity(self) -> str:
        """The generator's."""
        return self._generator.identity

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        """See `Generator.generate`; kept replies come first."""
        places: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(request_key(self.identity, request), []).append(place)
        new: list[tuple[str, list[int]]] = []
        for key, of_key in places.items():
            kept = self._store.get(key)
            self.usage[requests[of_key[0]].purpose].reused += len(of_key) - (kept is None)
            if kept is None:
                new.append((key, of_key))
            else:
                yield from ((place, kept) for place in of_key)
        try:
            for index, reply in self._generator.generate([requests[of_key[0]] for _, of_key in new]):
                key, of_key = new[index]
                purpose = requests[of_key[0]].purpose
                if reply.is_final:
                    self._store.add(key, reply, about={**self._about, "purpose": purpose})
                self._count(self.usage[purpose], reply)
                yield from ((place, reply) for place in of_key)
        finally:
            self._store.sync()

    def close(self) -> None:
        """Closes the generator and the store."""
        self._generator.close()
        self._store.close()

    def _count(self, usage: Usage, reply: Reply) -> None:
        usage.asked += 1
        usage.prompt_tokens += reply.prompt_tokens
        if reply.cached_tokens is not None:
            usage.cached_tokens = (usage.cached_tokens or 0) + reply.cached_tokens
        usage.completion_tokens += reply.completion_tokens
