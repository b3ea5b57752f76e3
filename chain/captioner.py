"""Captions for images: the stages driven over a backend, each image at its own pace."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Entity
from pancap.caption.formats import sapancap
from pancap.chain.backends.base import Answer, Backend, Opening, Question
from pancap.chain.boxtokens import Codec
from pancap.chain.config import ChainMode, DecodingConfig
from pancap.chain.walk import Walk

if TYPE_CHECKING:
    from pancap.chain.model import StorageType

MAX_TAG_WORDS = 3
DETERMINERS = frozenset(
    {"a", "an", "the", "this", "that", "its", "his", "her", "their", "some", "one", "two", "another"}
)


@dataclass(frozen=True, kw_only=True)
class ChainResult:
    """What the chain says of one image.

    Args:
        caption: SA-Pancap style text, boxes in fractions of the image.
        entities: tags with boxes: of the stages, or read from a caption that places its boxes itself.
        confidences: of each entity, how sure the model is of where its box lies, 0..1
            (`chain.decoding.grammar.box_confidence`); None where the backend does not know.
        stages: each stage's answer as the model wrote it.
        timings_s: seconds from one stage's answer to the next, from when the image was taken to the first; the work
            that was done meanwhile for the other images under way is in them.
        dropped: by stage, what looked like a box in its answer and was none.
        error: why the image was given up, the rest being what was known by then; empty for a good one.
    """

    caption: str
    entities: tuple[Entity, ...]
    confidences: tuple[float | None, ...]
    stages: dict[str, str]
    timings_s: dict[str, float]
    dropped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    error: str = ""


class Captioner:
    """Captions images with one backend; safe to call from several threads as far as the backend is.

    Args:
        backend: runs the model.
        mode: the stages to go through.
        same_tag_max_iou: see `merge_answer`.
        has_own_boxes: captions place their boxes themselves; the entities are read from them, not from the stages.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        mode: ChainMode = "chain",
        same_tag_max_iou: float = 1.0,
        has_own_boxes: bool = False,
    ) -> None:
        """Keeps its parts."""
        self.same_tag_max_iou = same_tag_max_iou
        self.has_own_boxes = has_own_boxes
        self.backend = backend
        self.mode: ChainMode = mode

    def caption(self, images: Sequence[np.ndarray]) -> list[ChainResult]:
        """Captions (H, W, 3) uint8 images.

        The same images give the same captions with the same batch size; with another one numbers are rounded
        differently, which may turn a choice between two words that are almost equally likely.
        """
        found = dict(self.caption_each(images))
        return [found[place] for place in range(len(images))]

    def caption_each(self, images: Iterable[np.ndarray]) -> Iterator[tuple[int, ChainResult]]:
        """Captions with the places of their images, as they are done; images are taken when there is room for them."""
        walks: dict[int, Walk] = {}
        timings: dict[int, _Stopwatch] = {}

        def openings() -> Iterator[Opening]:
            for place, image in enumerate(images):
                walks[place], timings[place] = self._walk(self.backend.codec(image)), _Stopwatch()
                yield image, _question(place, walks[place])

        def follow(place: int, answer: Answer) -> Question | None:
            walk = walks[place]
            timings[place].stop(str(walk.stage))
            walk.take(answer)
            return _question(place, walk) if walk.stage else None

        for place in self.backend.converse(openings(), follow=follow):
            if place in walks and walks[place].stage is None:
                timings_s = timings.pop(place).timings_s
                yield place, _result(walks.pop(place), timings_s=timings_s, has_own_boxes=self.has_own_boxes)

    def _walk(self, codec: Codec) -> Walk:
        return Walk(self.mode, codec=codec, same_tag_max_iou=self.same_tag_max_iou)


class _Stopwatch:
    """Seconds by name, each since the one before."""

    def __init__(self) -> None:
        self.timings_s: dict[str, float] = {}
        self._since = time.perf_counter()

    def stop(self, name: str) -> None:
        now = time.perf_counter()
        self.timings_s[name] = now - self._since
        self._since = now


def _question(place: int, walk: Walk) -> Question:
    assert walk.stage is not None
    return Question(image=place, stage=walk.stage, state=walk.state)


def load_captioner(
    directory: str | Path,
    *,
    batch_size: int = 16,
    mode: ChainMode | Literal["checkpoint"] = "checkpoint",
    decoding: DecodingConfig | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    dtype: "StorageType" = "float32",
) -> Captioner:
    """A captioner from a checkpoint folder, on transformers in this process.

    Args:
        directory: the folder that training wrote.
        batch_size: images under way at a time.
        mode: `checkpoint` takes the stages that the checkpoint was trained for.
        decoding: limits and constraints.
        device, dtype: where the model runs, and its number format (`chain.placement` chooses them).

    Raises:
        UsageError: no checkpoint there.
    """
    from pancap.chain.backends.transformers import TransformersBackend
    from pancap.chain.model import load_checkpoint

    checkpoint = load_checkpoint(directory, dtype=dtype)
    checkpoint.model.to(device)
    decoding = decoding or DecodingConfig()
    return Captioner(
        TransformersBackend(checkpoint, decoding=decoding, batch_size=batch_size),
        mode=checkpoint.meta.mode if mode == "checkpoint" else mode,
        same_tag_max_iou=decoding.same_tag_max_iou if checkpoint.meta.refines_boxes else 1.0,
        has_own_boxes=checkpoint.meta.refines_captions and decoding.enable_refinement,
    )


def _result(walk: Walk, *, timings_s: dict[str, float], has_own_boxes: bool) -> ChainResult:
    state = walk.state
    found = [(instance.tag, instance.box) for instance in state.instances]
    confidence = state.confidence
    if not found or has_own_boxes:  # the boxes are those of the caption, three decimals each
        found = read_entities(state.caption)
        confidence = {sapancap.parse(sapancap.render_box(box)).boxes[0]: value for box, value in confidence.items()}
    return ChainResult(
        caption=state.caption,
        entities=tuple(Entity(id=index, tag=tag, box=box) for index, (tag, box) in enumerate(found, start=1)),
        confidences=tuple(confidence.get(box) for _, box in found),
        stages=dict(state.answers),
        timings_s=timings_s,
        dropped=walk.dropped,
        error=walk.error,
    )


def read_entities(caption: str) -> list[tuple[str, Box]]:
    """Boxes of a caption, each named by the words before it: up to three, back to the last determiner."""
    found: dict[Box, str] = {}
    words: list[str] = []
    for segment in sapancap.parse(caption).segments:
        if isinstance(segment, str):
            words = re.split(r"[^\w\s'-]", segment.lower())[-1].split()
            continue
        cuts = [index for index, word in enumerate(words) if word in DETERMINERS]
        phrase = words[cuts[-1] + 1 :] if cuts else words
        found.setdefault(segment, " ".join(phrase[-MAX_TAG_WORDS:]) or "object")
    return [(tag, box) for box, tag in found.items()]
