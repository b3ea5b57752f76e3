"""Reading captions from the files that people have, and scoring two of them.

- `.json`, a list: objects with an image key and a caption key (SA-Pancap's files among them).
- `.json`, an object: the caption of each image, `{"sam/1.jpg": "The sky ..."}`.
- `.jsonl`: one object of the first kind a line.
- `.parquet`, or a folder of them (the engine's and Scenes' rows): an image column and `caption`; rows with an `error`
  are left out.

Image keys: `image_id`, `image_path`, `image`, `uri`, `id`. Where a file has several, the first that both files' images
agree on is taken; where none agrees and the names are paths, their ends are compared (`/data/scenes/images/1.png` is
`images/1.png`). Caption keys, the first that is there: `caption`, `gt_response`, `pred_response`, `response`, `text`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pancap.configs.errors import UsageError
from pancap.scoring.config import ScoreConfig
from pancap.scoring.report import ScoreReport
from pancap.scoring.score import Progress, score_captions

IMAGE_KEYS = ("image_id", "image_path", "image", "uri", "id")
CAPTION_KEYS = ("caption", "gt_response", "pred_response", "response", "text")

_BOX = re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*\]")


def score_files(
    candidate_path: str | Path,
    reference_path: str | Path,
    config: ScoreConfig | None = None,
    *,
    on_progress: Progress | None = None,
) -> ScoreReport:
    """PancapScore of the captions of one file against those of another.

    Args:
        candidate_path: captions that are scored; see the module for the formats.
        reference_path: captions that are taken as true.
        config: rules, judge, encoder, intervals; the defaults if None.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: a file cannot be read as captions, or the two don't fit each other.
    """
    config = config or ScoreConfig()
    candidates, references = align(load_captions(candidate_path), load_captions(reference_path))
    for path, captions in ((candidate_path, candidates), (reference_path, references)):
        check_box_units(captions, where=str(path))
    return score_captions(candidates, references, config, on_progress=on_progress)


def load_captions(path: str | Path) -> dict[str, dict[str, str]]:
    """Captions by image, once for each image key that the file has, the keys in the order of `IMAGE_KEYS`.

    Raises:
        UsageError: the file is missing, of no known format, cut off, not UTF-8, names an image twice, or has a record
            without an image or a caption.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"caption file {path} does not exist; give a .json, .jsonl or .parquet file, or a folder")
    is_table = path.is_dir() or path.suffix == ".parquet"
    by_key: dict[str, dict[str, str]] = {}
    for where, images, caption in _parquet_records(path) if is_table else _json_records(path):
        for key, image in images.items():
            captions = by_key.setdefault(key, {})
            if image in captions:
                raise UsageError(f"image {image} stands twice in {path} (again in {where}); keep one caption of it")
            captions[image] = caption
    if not by_key:
        raise UsageError(f"{path} has no captions; expected at least one")
    num_records = max(map(len, by_key.values()))
    return {key: captions for key, captions in by_key.items() if len(captions) == num_records}


def align(
    candidates: Mapping[str, dict[str, str]], references: Mapping[str, dict[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """The captions of both sides under the image keys that agree best; the first such pair where several do.

    Where no image is shared, a candidate whose whole path ends a reference's, or the other way round, takes its name.
    """
    pairs = [(candidate, reference) for reference in references.values() for candidate in candidates.values()]
    best = max(pairs, key=lambda pair: len(pair[0].keys() & pair[1].keys()))
    if best[0].keys() & best[1].keys():
        return best
    renamed = [(_rename(candidate, reference), reference) for candidate, reference in pairs]
    return max(renamed, key=lambda pair: len(pair[0].keys() & pair[1].keys()))


def _rename(candidates: dict[str, str], references: Mapping[str, str]) -> dict[str, str]:
    """The candidates under the references' names, as they are where a path could stand for two."""
    by_tail: dict[str, str | None] = {}
    for image in references:
        for tail in _tails(image):
            by_tail[tail] = None if tail in by_tail else image
    names = {
        image: by_tail.get(image) or next((tail for tail in _tails(image) if tail in references), image)
        for image in candidates
    }
    is_told_apart = len(set(names.values())) == len(names)
    return {names[image]: caption for image, caption in candidates.items()} if is_told_apart else candidates


def _tails(image: str) -> list[str]:
    """`b/1.png` and `1.png` of `a/b/1.png`; nothing of a name that is no path of a file."""
    parts = image.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))] if "." in parts[-1] else []


def check_box_units(captions: Mapping[str, str], *, where: str) -> None:
    """Refuses captions whose boxes are not fractions: such a score would be silently wrong.

    Raises:
        UsageError: a coordinate is above 1.5 (a little above 1 is taken for rounding).
    """
    for image, caption in captions.items():
        for match in _BOX.finditer(caption):
            largest = max(map(float, match.groups()))
            if largest > 1.5:
                units = "0..1000" if largest <= 1000 and "." not in match.group() else "pixels"
                raise UsageError(
                    f"boxes must be fractions of the image, got {match.group()} of image {image} in {where}, "
                    f"which looks like {units}; convert the boxes first"
                )


Record = tuple[str, dict[str, str], str]  # where it stands, image by image key, caption


def _json_records(path: Path) -> Iterator[Record]:
    text = read_text(path)
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield _record(parse_json(line, where=f"{path}, line {number},"), where=f"line {number}", path=path)
        return
    parsed = parse_json(text, where=str(path))
    if isinstance(parsed, Pairs) and all(isinstance(value, str) for _, value in parsed):
        yield from ((f"key {key}", {"image": key}, value) for key, value in parsed)
    elif isinstance(parsed, list) and not isinstance(parsed, Pairs):
        for number, item in enumerate(parsed):
            yield _record(item, where=f"record {number}", path=path)
    else:
        raise UsageError(f"{path} must be a list of records or an object of image: caption, got neither")


def _parquet_records(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.dataset

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    files = [file for file in files if file.is_file()]
    if not files:
        raise UsageError(f"{path} is a folder without .parquet files; give a dataset folder or a caption file")
    try:
        dataset = pyarrow.dataset.dataset([str(file) for file in files], format="parquet")
        image_keys, caption_key = _keys(dataset.schema.names, where=str(path))
        has_error = "error" in dataset.schema.names
        number = 0
        for batch in dataset.to_batches(columns=[*image_keys, caption_key, *(["error"] if has_error else [])]):
            for row in batch.to_pylist():
                number += 1
                if not has_error or row["error"] is None:
                    yield f"row {number}", {key: str(row[key]) for key in image_keys}, row[caption_key] or ""
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{path} is not readable as parquet ({str(error).splitlines()[0]}); write it again") from error


def _record(item: Any, *, where: str, path: Path) -> Record:
    if not isinstance(item, Pairs):
        raise UsageError(f"{where} of {path} must be an object, got {type(item).__name__}")
    fields = dict(item)
    image_keys, caption_key = _keys(fields, where=f"{where} of {path}")
    images, caption = {key: fields[key] for key in image_keys}, fields[caption_key]
    if not all(isinstance(image, str | int) for image in images.values()) or not isinstance(caption, str):
        raise UsageError(f"{where} of {path} must have texts under {', '.join(image_keys)} and {caption_key}")
    return where, {key: str(image) for key, image in images.items()}, caption


def _keys(names: Iterable[str], *, where: str) -> tuple[Sequence[str], str]:
    known = set(names)
    image_keys = [key for key in IMAGE_KEYS if key in known]
    caption_key = next((key for key in CAPTION_KEYS if key in known), None)
    if not image_keys or caption_key is None:
        what, keys = ("a caption", CAPTION_KEYS) if image_keys else ("an image", IMAGE_KEYS)
        got = ", ".join(sorted(known)) or "nothing"
        raise UsageError(f"{where} must name {what} under one of {', '.join(keys)}, got {got}")
    return image_keys, caption_key


class Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, so that a key that stands twice does not vanish."""


def parse_json(text: str, *, where: str) -> Any:
    """A JSON text, its objects as `Pairs`.

    Raises:
        UsageError: it is none; `where` begins the sentence.
    """
    try:
        return json.loads(text, object_pairs_hook=Pairs)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON ({error}); is the file cut off?") from error


def read_text(path: Path, *, suffixes: Sequence[str] = (".json", ".jsonl")) -> str:
    """A UTF-8 file, with or without a byte order mark.

    Raises:
        UsageError: another suffix, or bytes that are no UTF-8.
    """
    if path.suffix not in suffixes:
        raise UsageError(f"{path} must be a {', '.join(suffixes)} file, got {path.suffix!r}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} must be UTF-8, got byte {error.object[error.start]:#x} at {error.start}") from error
