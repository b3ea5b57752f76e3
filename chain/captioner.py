"""Captions for images: the stages driven over a backend, batch by batch."""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Entity
from pancap.caption.formats import sapancap
from pancap.chain.backends.base import Answer, Backend, EncodedImages, Question
from pancap.chain.config import CaptionConfig, ChainMode, DecodingConfig
from pancap.chain.stages import STAGES, STAGES_OF_MODE, ChainState, StageName, list_instances, merge_answer
from pancap.configs import UsageError

if TYPE_CHECKING:
    from pancap.chain.output import CaptionSummary
    from pancap.chain.sources import ReadImage

Progress = Callable[[str, int, int | None], None]

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
        confidences: of each entity, how sure the model is of where its box lies, 0..1 (`chain.grammar.box_confidence`);
            None where the backend does not know.
        stages: each stage's answer as the model wrote it.
        timings_s: seconds per step (`encode`, then the stages) of the batch that held the image.
    """

    caption: str
    entities: tuple[Entity, ...]
    confidences: tuple[float | None, ...]
    stages: dict[str, str]
    timings_s: dict[str, float]


class Captioner:
    """Captions images with one backend; safe to call from several threads as far as the backend is.

    Args:
        backend: runs the model.
        mode: the stages to go through.
        batch_size: images in flight.
        same_tag_max_iou: see `merge_answer`.
        has_own_boxes: captions place their boxes themselves; the entities are read from them, not from the stages.
    """

    def __init__(
        self,
        backend: Backend[Any],
        *,
        mode: ChainMode = "chain",
        batch_size: int = 16,
        same_tag_max_iou: float = 1.0,
        has_own_boxes: bool = False,
    ) -> None:
        """Keeps its parts."""
        self.same_tag_max_iou = same_tag_max_iou
        self.has_own_boxes = has_own_boxes
        self.backend = backend
        self.mode: ChainMode = mode
        self.batch_size = batch_size

    def caption(self, images: Sequence[np.ndarray]) -> list[ChainResult]:
        """Captions (H, W, 3) uint8 images; the same images give the same captions."""
        results: list[ChainResult] = []
        for start in range(0, len(images), self.batch_size):
            results += self._caption_batch(images[start : start + self.batch_size])
        return results

    def _caption_batch(self, images: Sequence[np.ndarray]) -> list[ChainResult]:
        started = time.perf_counter()
        encoded = self.backend.encode(images)
        timings_s = {"encode": time.perf_counter() - started}
        states = [ChainState() for _ in images]
        for stage in STAGES_OF_MODE[self.mode]:
            started = time.perf_counter()
            states = self._run_stage(stage, states, encoded=encoded)
            timings_s[stage] = time.perf_counter() - started
        if STAGES[STAGES_OF_MODE[self.mode][-1]].gives != "caption":
            states = [replace(state, caption=list_instances(state.instances)) for state in states]
        return [_result(state, timings_s=timings_s, has_own_boxes=self.has_own_boxes) for state in states]

    def _run_stage(self, stage: StageName, states: Sequence[ChainState], *, encoded: EncodedImages) -> list[ChainState]:
        """Asks a stage of every image; one that has nothing to ask about (no boxes to tag) answers nothing."""
        questions = [
            Question(image=index, stage=stage, state=state)
            for index, state in enumerate(states)
            if stage != "tag" or state.boxes
        ]
        answers = dict.fromkeys(range(len(states)), Answer())
        written = self.backend.answer(encoded, questions)
        answers |= {question.image: answer for question, answer in zip(questions, written, strict=True)}
        return [
            merge_answer(
                stage,
                replace(state, confidence=state.confidence | answers[index].confidence),
                answers[index].text,
                codec=encoded.codecs[index],
                same_tag_max_iou=self.same_tag_max_iou,
            )
            for index, state in enumerate(states)
        ]


def load_captioner(
    directory: str | Path,
    *,
    batch_size: int = 16,
    mode: ChainMode | Literal["checkpoint"] = "checkpoint",
    decoding: DecodingConfig | None = None,
) -> Captioner:
    """A captioner from a checkpoint folder, on transformers in this process.

    Args:
        directory: the folder that training wrote.
        batch_size: images in flight.
        mode: `checkpoint` takes the stages that the checkpoint was trained for.
        decoding: limits and constraints.

    Raises:
        UsageError: no checkpoint there.
    """
    from pancap.chain.backends.transformers import TransformersBackend
    from pancap.chain.model import load_checkpoint

    checkpoint = load_checkpoint(directory)
    decoding = decoding or DecodingConfig()
    return Captioner(
        TransformersBackend(checkpoint, decoding=decoding),
        mode=checkpoint.meta.mode if mode == "checkpoint" else mode,
        batch_size=batch_size,
        same_tag_max_iou=decoding.same_tag_max_iou if checkpoint.meta.refines_boxes else 1.0,
        has_own_boxes=checkpoint.meta.refines_captions and decoding.enable_refinement,
    )


def caption_folder(config: CaptionConfig, *, on_progress: Progress | None = None) -> "CaptionSummary":
    """Captions the images of a file or folder and writes what it finds to `config.out`; goes on where it stopped.

    Args:
        config: checkpoint, images, output folder.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: no checkpoint, no images or none that can be decoded, or captions of other settings in the folder.
        StoppedError: the disk is full.
    """
    from pancap.chain import output
    from pancap.chain.sources import find_images, read_batches

    files = find_images(config.images, limit=config.limit)
    if config.num_threads is not None:
        import torch

        torch.set_num_threads(config.num_threads)
    captioner = load_captioner(
        config.checkpoint, batch_size=config.batch_size, mode=config.mode, decoding=config.decoding
    )
    records: dict[str, dict[str, Any]] = {}
    refused, stage_seconds, num_done = [], dict[str, float](), 0
    with output.output_folder(config.out) as folder:
        before = output.open_records(folder, run=_describe(config, captioner), overwrite=config.overwrite)
        with (folder / output.RECORDS_FILE).open("a", encoding="utf-8") as lines:
            for batch in read_batches(files, batch_size=config.batch_size):
                refused += [(image.file.name, image.refused) for image in batch if image.rgb is None]
                good = [(image, image.rgb) for image in batch if image.rgb is not None]
                known = {image.file.name for image, _ in good if _is_record_of(before.get(image.file.name), image)}
                new = [(image, rgb) for image, rgb in good if image.file.name not in known]
                results = iter(captioner.caption([rgb for _, rgb in new]))
                for image, rgb in good:
                    name = image.file.name
                    if name in known:
                        records[name] = before[name]
                    else:
                        records[name] = output.record_of(image, next(results))
                        output.write_record(lines, records[name])
                    if config.draw:
                        output.write_overlay(folder, records[name], rgb)
                timings = records[new[0][0].file.name]["timings_s"] if new else {}
                for stage, seconds in timings.items():
                    stage_seconds[stage] = round(stage_seconds.get(stage, 0.0) + seconds, 3)
                num_done += len(batch)
                if on_progress:
                    on_progress("captions", num_done, len(files))
        if not records:
            name, reason = refused[0]
            raise UsageError(f"none of {len(files)} images can be read ({name}: {reason}); give other images")
        output.write_records(folder, list(records.values()))
        output.write_captions(folder, list(records.values()))
    return output.CaptionSummary(
        out=str(config.out),
        num_images=len(records),
        num_resumed=sum(records[name] is record for name, record in before.items() if name in records),
        refused=tuple(refused),
        num_entities=sum(len(record["entities"]) for record in records.values()),
        num_words=sum(len(record["caption"].split()) for record in records.values()),
        seconds=round(sum(stage_seconds.values()), 3),
        stage_seconds=stage_seconds,
    )


def _describe(config: CaptionConfig, captioner: Captioner) -> dict[str, Any]:
    """What decides the captions of an image."""
    from pancap.chain.model import META_FILE, WEIGHTS_FILE, checkpoint_folder

    folder = checkpoint_folder(config.checkpoint)
    digest = hashlib.sha256((folder / META_FILE).read_bytes())
    with (folder / WEIGHTS_FILE).open("rb") as weights:
        digest.update(hashlib.file_digest(weights, "sha256").digest())
    decoding = {f"decoding.{name}": value for name, value in asdict(config.decoding).items()}
    return {"kind": "captions", "checkpoint": digest.hexdigest()[:16], "mode": captioner.mode, **decoding}


def _is_record_of(record: dict[str, Any] | None, image: "ReadImage") -> bool:
    return record is not None and record["image_id"] == image.image_id


def _result(state: ChainState, *, timings_s: dict[str, float], has_own_boxes: bool) -> ChainResult:
    found = [(instance.tag, instance.box) for instance in state.instances]
    confidence = state.confidence
    if not found or has_own_boxes:  # the boxes are those of the caption, three decimals each
        found = _read_entities(state.caption)
        confidence = {sapancap.parse(sapancap.render_box(box)).boxes[0]: value for box, value in confidence.items()}
    return ChainResult(
        caption=state.caption,
        entities=tuple(Entity(id=index, tag=tag, box=box) for index, (tag, box) in enumerate(found, start=1)),
        confidences=tuple(confidence.get(box) for _, box in found),
        stages=dict(state.answers),
        timings_s=dict(timings_s),
    )


def _read_entities(caption: str) -> list[tuple[str, Box]]:
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
