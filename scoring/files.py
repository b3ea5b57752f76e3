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

    Where no image is shared, candidates are renamed to the references whose paths end alike.
    """
    pairs = [(candidate, reference) for reference in references.values() for candidate in candidates.values()]
    best = max(pairs, key=lambda pair: len(pair[0].keys() & pair[1].keys()))
    if best[0].keys() & best[1].keys():
        return best
    for num_parts in (3, 2, 1):
        for candidate, reference in pairs:
            names = _by_tail(reference, num_parts)
            tails = _by_tail(candidate, num_parts)
            if names.keys() & tails.keys():
                return {names.get(tail, image): candidate[image] for tail, image in tails.items()}, reference
    return best


def _by_tail(captions: Mapping[str, str], num_parts: int) -> dict[str, str]:
    """Images by the last parts of their paths; empty where two are alike or one has no such path."""
    tails = {"/".join(image.split("/")[-num_parts:]): image for image in captions}
    is_told_apart = len(tails) == len(captions) and all(tail.count("/") == num_parts - 1 for tail in tails)
    return tails if is_told_apart and all("." in tail for tail in tails) else {}


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
    text = _read_text(path)
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield _record(_parse(line, where=f"{path}, line {number},"), where=f"line {number}", path=path)
        return
    parsed = _parse(text, where=str(path))
    if isinstance(parsed, _Pairs) and all(isinstance(value, str) for _, value in parsed):
        yield from ((f"key {key}", {"image": key}, value) for key, value in parsed)
    elif isinstance(parsed, list) and not isinstance(parsed, _Pairs):
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
    if not isinstance(item, _Pairs):
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


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, so that a key that stands twice does not vanish."""


def _parse(text: str, *, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON ({error}); is the file cut off?") from error


def _read_text(path: Path) -> str:
    if path.suffix not in {".json", ".jsonl"}:
        raise UsageError(f"{path} must be a .json, .jsonl or .parquet file, or a folder, got {path.suffix!r}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} must be UTF-8, got byte {error.object[error.start]:#x} at {error.start}") from error
