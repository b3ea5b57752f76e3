"""What a captioning run leaves behind: captions.json, captions.jsonl and a summary."""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from pancap.chain.captioner import ChainResult
from pancap.chain.sources import ReadImage
from pancap.configs import StoppedError

CAPTIONS_FILE = "captions.json"
RECORDS_FILE = "captions.jsonl"


@dataclass(frozen=True, kw_only=True)
class CaptionSummary:
    """Figures of a captioning run.

    Args:
        out: folder of the results.
        num_images: images captioned.
        refused: name and reason of each image that was not.
        num_entities: entities with a box, in all captions.
        num_words: words in all captions.
        seconds: wall time of the model's work, and per step in `stage_seconds`.
    """

    out: str
    num_images: int
    refused: tuple[tuple[str, str], ...]
    num_entities: int
    num_words: int
    seconds: float
    stage_seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A table for a terminal."""
        per_image = max(self.num_images, 1)
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.stage_seconds.items())
        lines = [
            f"images captioned    {self.num_images}",
            f"images refused      {len(self.refused)}",
            f"entities per image  {self.num_entities / per_image:.1f}",
            f"words per caption   {self.num_words / per_image:.1f}",
            f"seconds per image   {self.seconds / per_image:.2f}  ({steps})",
            f"written to          {self.out}",
        ]
        return "\n".join([*lines, *(f"refused {name}: {reason}" for name, reason in self.refused[:10])])


def record_of(image: ReadImage, result: ChainResult) -> dict[str, Any]:
    """Everything about one captioned image, JSON-ready."""
    return {
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


def write_captions(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes captions.json, the form that `pancap score` and SA-Pancap's own tools read; never half a file."""
    captions = [{"image_path": record["image_path"], "pred_response": record["caption"]} for record in records]
    unfinished = folder / f".{CAPTIONS_FILE}.{os.getpid()}"
    unfinished.write_text(json.dumps(captions, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(folder / CAPTIONS_FILE)


def write_record(file: IO[str], record: dict[str, Any]) -> None:
    """Adds a line to captions.jsonl."""
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    file.flush()


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
