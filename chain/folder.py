"""Captions for the images of a file or folder: what `pancap caption` does."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from pancap.chain import output
from pancap.chain.captioner import ChainResult
from pancap.chain.config import CaptionConfig
from pancap.chain.loading import describe_run, open_captioner
from pancap.chain.sources import ImageFile, ReadImage, find_images, read_image
from pancap.configs import UsageError
from pancap.configs.errors import TooManyBadRowsError

Progress = Callable[[str, int, int | None], None]


def caption_folder(config: CaptionConfig, *, on_progress: Progress | None = None) -> output.CaptionSummary:
    """Captions the images of a file or folder and writes what it finds to `config.out`; goes on where it stopped.

    Args:
        config: checkpoint, images, output folder.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: no checkpoint, no images or none that can be decoded, or captions of other settings in the folder.
        StoppedError: the disk is full, or the engine or endpoint is gone.
        TooManyBadRowsError: more images than the configuration allows have no caption; all outputs are written.
    """
    files = find_images(config.images, limit=config.limit)
    if config.num_threads is not None:
        import torch

        torch.set_num_threads(config.num_threads)
    with open_captioner(config) as captioner, output.output_folder(config.out) as folder:
        run = describe_run(config, mode=captioner.mode)
        before = output.open_records(folder, run=run, overwrite=config.overwrite)
        with (folder / output.RECORDS_FILE).open("a", encoding="utf-8") as lines:
            work = _Work(files, before=before, folder=folder, lines=lines, with_overlays=config.draw)
            for place, result in captioner.caption_each(work.new_images()):
                work.finish(place, result)
                if on_progress:
                    on_progress("captions", work.num_done, len(files))
        if on_progress:
            on_progress("captions", work.num_done, len(files))
        summary = work.write(out=config.out)
    bad = len(summary.refused)
    if bad > config.max_bad_fraction * len(files):
        raise TooManyBadRowsError(
            f"{bad} of {len(files)} images have no caption, more than max_bad_fraction={config.max_bad_fraction:g}; "
            f"their reasons are in {folder / output.ERRORS_FILE}; the same command tries them again"
        )
    return summary


class _Work:
    """The images of a run: which are new, and what came of each.

    Args:
        files: the images, in the order of the results.
        before: records of an earlier run, by image name.
        folder: of the results.
        lines: captions.jsonl, open for appending.
        with_overlays: also draw every image with its boxes.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        *,
        before: Mapping[str, dict[str, Any]],
        folder: Path,
        lines: IO[str],
        with_overlays: bool,
    ) -> None:
        self._files, self._before, self._folder, self._lines = files, before, folder, lines
        self._with_overlays = with_overlays
        self._under_way: list[ReadImage | None] = []
        self._records: dict[str, dict[str, Any]] = {}
        self._errors: dict[str, dict[str, Any]] = {}
        self._stage_seconds: dict[str, float] = {}
        self._num_resumed = 0
        self._started = time.perf_counter()

    @property
    def num_done(self) -> int:
        return len(self._records) + len(self._errors)

    def new_images(self) -> Iterator[np.ndarray]:
        """Those that have no caption yet, read when they are wanted; the others are dealt with on the way."""
        for file in self._files:
            image = read_image(file)
            known = self._before.get(file.name)
            if image.rgb is None:
                self._errors[file.name] = output.error_of(image, image.refused)
            elif known and known["image_id"] == image.image_id:
                self._num_resumed += 1
                self._keep(image, known)
            else:
                self._under_way.append(replace(image, rgb=None))  # many may wait for their captions
                yield image.rgb

    def finish(self, place: int, result: ChainResult) -> None:
        """Keeps what came of the image at a place among the new ones."""
        image = self._under_way[place]
        assert image is not None
        self._under_way[place] = None
        for stage, seconds in result.timings_s.items():
            self._stage_seconds[stage] = self._stage_seconds.get(stage, 0.0) + seconds
        if result.error:
            self._errors[image.file.name] = output.error_of(image, result.error, stages=result.stages)
            return
        record = output.record_of(image, result)
        output.write_record(self._lines, record)
        self._keep(image, record)

    def write(self, *, out: str) -> output.CaptionSummary:
        """Writes the finished files, in the order of the images.

        Raises:
            UsageError: no image has a caption.
        """
        seconds = time.perf_counter() - self._started
        names = [file.name for file in self._files]
        errors = [self._errors[name] for name in names if name in self._errors]
        records = [self._records[name] for name in names if name in self._records]
        output.write_lines(self._folder / output.ERRORS_FILE, errors)
        if not records:
            first = errors[0]
            raise UsageError(
                f"none of {len(names)} images has a caption ({first['image_path']}: {first['error']}); "
                "give other images, or other settings"
            )
        output.write_lines(self._folder / output.RECORDS_FILE, records)
        output.write_captions(self._folder, records)
        return output.CaptionSummary(
            out=str(out),
            num_images=len(records),
            num_resumed=self._num_resumed,
            refused=tuple((output.escape(error["image_path"]), error["error"]) for error in errors),
            num_entities=sum(len(record["entities"]) for record in records),
            num_words=sum(len(record["caption"].split()) for record in records),
            num_dropped_boxes=sum(len(found) for record in records for found in record.get("dropped", {}).values()),
            seconds=round(seconds, 3) if self._stage_seconds else 0.0,
            stage_seconds={stage: round(value, 3) for stage, value in self._stage_seconds.items()},
        )

    def _keep(self, image: ReadImage, record: dict[str, Any]) -> None:
        self._records[image.file.name] = record
        if self._with_overlays:
            rgb = read_image(image.file).rgb if image.rgb is None else image.rgb
            if rgb is not None:
                output.write_overlay(self._folder, record, rgb)
