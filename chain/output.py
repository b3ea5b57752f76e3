"""What a captioning run leaves behind, in one folder; the same run goes on in it where it stopped.

OUT/run.json        what makes the captions: checkpoint, stages, decoding
OUT/captions.jsonl  everything about each image, a line as soon as it is there
OUT/captions.json   SA-Pancap form, written last
OUT/errors.jsonl    every image without a caption, and why; the next run tries these again
OUT/overlays/       every image with its boxes, where asked for
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pancap.caption.boxes import Box
from pancap.caption.content import Entity
from pancap.chain.captioner import ChainResult
from pancap.chain.sources import ReadImage
from pancap.configs import StoppedError, UsageError

if TYPE_CHECKING:
    import numpy as np

CAPTIONS_FILE = "captions.json"
RECORDS_FILE = "captions.jsonl"
ERRORS_FILE = "errors.jsonl"
RUN_FILE = "run.json"
OVERLAYS_FOLDER = "overlays"


@dataclass(frozen=True, kw_only=True)
class CaptionSummary:
    """Figures of a captioning run.

    Args:
        out: folder of the results.
        num_images: images captioned, now or before.
        num_resumed: of them, before.
        refused: name and reason of each image that was not.
        num_entities: entities with a box, in all captions.
        num_words: words in all captions.
        num_dropped_boxes: what looked like a box in an answer and was none.
        seconds: wall time of reading and captioning the new images.
        stage_seconds: by stage, summed over the new images (`ChainResult.timings_s`); as many images are under way at a
            time, this is more than `seconds`.
    """

    out: str
    num_images: int
    num_resumed: int
    refused: tuple[tuple[str, str], ...]
    num_entities: int
    num_words: int
    num_dropped_boxes: int
    seconds: float
    stage_seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A table for a terminal."""
        per_image = max(self.num_images, 1)
        num_new = max(self.num_images - self.num_resumed, 1)
        before = f"  ({self.num_resumed} of them by an earlier run)" if self.num_resumed else ""
        stages = ", ".join(f"{name} {seconds / num_new:.1f} s" for name, seconds in self.stage_seconds.items())
        lines = [
            f"images captioned    {self.num_images}{before}",
            f"images refused      {len(self.refused)}",
            f"entities per image  {self.num_entities / per_image:.1f}",
            f"words per caption   {self.num_words / per_image:.1f}",
            f"seconds per image   {self.seconds / num_new:.2f}  (under way with others: {stages})",
            f"written to          {self.out}",
        ]
        if self.num_dropped_boxes:
            lines.insert(2, f"boxes dropped       {self.num_dropped_boxes}  (malformed; see dropped in {RECORDS_FILE})")
        return "\n".join([*lines, *(f"refused {name}: {reason}" for name, reason in self.refused[:10])])


def record_of(image: ReadImage, result: ChainResult) -> dict[str, Any]:
    """Everything about one captioned image, JSON-ready; `dropped` only where there is something."""
    record: dict[str, Any] = {
        "image_path": image.file.name,
        "image_id": image.image_id,
        "caption": result.caption,
        "entities": [
            {
                "tag": entity.tag,
                "box": None if entity.box is None else [round(v, 4) for v in entity.box.as_tuple()],
                "confidence": None if confidence is None else round(confidence, 4),
            }
            for entity, confidence in zip(result.entities, result.confidences, strict=True)
        ],
        "stages": result.stages,
        "timings_s": {name: round(seconds, 4) for name, seconds in result.timings_s.items()},
    }
    return record | ({"dropped": result.dropped} if result.dropped else {})


def error_of(image: ReadImage, error: str, *, stages: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Why an image has no caption, and what was known by then, JSON-ready."""
    known = {"stages": dict(stages)} if stages else {}
    return {"image_path": image.file.name, "image_id": image.image_id, "error": error, **known}


def write_captions(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes captions.json, the form that `pancap score` and SA-Pancap's own tools read; never half a file."""
    captions = [{"image_path": record["image_path"], "pred_response": record["caption"]} for record in records]
    unfinished = folder / f".{CAPTIONS_FILE}.{os.getpid()}"
    unfinished.write_text(_to_json(captions, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(folder / CAPTIONS_FILE)


def open_records(folder: Path, *, run: Mapping[str, Any], overwrite: bool) -> dict[str, dict[str, Any]]:
    """What an earlier run of the same settings left, by image name; captions.jsonl then holds whole lines alone.

    Args:
        folder: of the run.
        run: what makes the captions, and `kind`.
        overwrite: begin anew, whatever is there.

    Raises:
        UsageError: the folder holds captions of other settings, or something else.
    """
    run_file, records_file = folder / RUN_FILE, folder / RECORDS_FILE
    before = json.loads(run_file.read_text(encoding="utf-8")) if run_file.is_file() else {}
    has_captions = records_file.exists() or (folder / CAPTIONS_FILE).exists()
    if has_captions and before.get("kind", run["kind"]) != run["kind"]:
        raise UsageError(f"{folder} holds {before['kind']}, not captions; give another out=FOLDER")
    if overwrite or not has_captions:
        shutil.rmtree(folder / OVERLAYS_FOLDER, ignore_errors=True)
        for name in (CAPTIONS_FILE, RECORDS_FILE, ERRORS_FILE):
            (folder / name).unlink(missing_ok=True)
    elif before != run:
        changed = ", ".join(  # what only one of them has without its value: earlier versions kept secrets there
            f"{key}: {before[key]} -> {run[key]}" if key in before and key in run else key
            for key in sorted(before.keys() | run.keys())
            if before.get(key) != run.get(key)
        )
        raise UsageError(
            f"{folder} holds captions of other settings ({changed}); give another out=FOLDER, or overwrite=true"
        )
    run_file.write_text(json.dumps(run, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    records = _read_records(records_file) if records_file.exists() else {}
    write_lines(records_file, list(records.values()))
    return records


def write_lines(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes a JSONL file, one line an image; never half a file."""
    unfinished = path.parent / f".{path.name}.{os.getpid()}"
    with unfinished.open("w", encoding="utf-8") as lines:
        for record in records:
            write_record(lines, record)
    unfinished.replace(path)


def _read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Records by image name; the last line is left out where a killed run cut it off."""
    records = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        records[record["image_path"]] = record
    return records


def write_overlay(folder: Path, record: Mapping[str, Any], rgb: "np.ndarray") -> None:
    """The image with the boxes of its record, as OUT/overlays/NAME.png."""
    from PIL import Image

    from pancap.caption.overlay import draw_boxes

    entities = [
        Entity(id=number, tag=entity["tag"], box=Box(*entity["box"]) if entity["box"] else None)
        for number, entity in enumerate(record["entities"], start=1)
    ]
    path = folder / OVERLAYS_FOLDER / f"{record['image_path']}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_boxes(rgb, entities)).save(path)


def write_record(file: IO[str], record: dict[str, Any]) -> None:
    """Adds a line to a JSONL file."""
    file.write(_to_json(record) + "\n")
    file.flush()


def escape(text: str) -> str:
    r"""Text that UTF-8 can hold: half a surrogate pair, as in names of files that are no UTF-8, becomes its escape.

    In a JSON string it is the same text as before.

    Example:
        >>> escape("\udcff.png")
        '\\udcff.png'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _to_json(value: Any, *, indent: int | None = None) -> str:
    return escape(json.dumps(value, indent=indent, ensure_ascii=False))


@contextmanager
def output_folder(out: str | Path) -> Iterator[Path]:
    """The run's folder, created.

    Raises:
        StoppedError: the disk is full.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StoppedError(f"no space left on the disk of {folder}; free some and run the command again") from error
