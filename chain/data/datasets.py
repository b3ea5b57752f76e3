"""What can be trained on: the parquet of pancap scenes and engine, or a JSON of captions or of LLaVA samples."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from pancap.caption.boxes import Box
from pancap.caption.content import CaptionContent
from pancap.chain.boxtokens import Instance
from pancap.chain.data import caption_json, llava_json
from pancap.chain.data.caption_json import CaptionedImage
from pancap.chain.data.llava_json import group_samples
from pancap.chain.data.named_images import MAX_SHOWN, Described, LeftOutError, measure_image
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

BOX_DECIMALS = 3  # a caption writes three; an entity's box must become the same tokens as its box in the caption
COLUMNS = ("image_id", "uri", "width", "height", "entities", "caption")
_NUM_READING_THREADS = 8

_logger = logging.getLogger(__name__)


def read_training_images(
    data: str | Path, *, images: str | Path | None = None, with_content: bool = False, limit: int | None = None
) -> list[TrainingImage]:
    """Reads a dataset; what has an error, no caption or no box is left out.

    Args:
        data: parquet file or folder (scenes.parquet, dataset.parquet), or a `.json`: SA-Pancap's captions, or LLaVA
            samples with the four stages' prompts. A JSON's images are read for their ids and sizes; those that are
            missing are left out with a warning that counts them.
        images: folder that holds all images of a JSON, from which relative paths count; None: the JSON's own. Relative
            paths of a parquet count from its own folder.
        with_content: read the parquet's `content` column too, where there is one.
        limit: at most so many images.

    Raises:
        UsageError: no such dataset, it has another form, an image lies outside its folder, or nothing is usable.
    """
    path = Path(data)
    if not path.exists():
        raise UsageError(
            f"dataset {path} does not exist; give the parquet that pancap scenes or engine wrote, SA-Pancap's captions "
            "or LLaVA's JSON"
        )
    if is_json(path):
        return _read_named(path, root=Path(images or path.parent), limit=limit)
    if images is not None:
        raise UsageError(f"images={images} is for a JSON, got data={path}, which says itself where images lie; drop it")
    rows = _read_rows(path, with_content=with_content, limit=limit)
    found = [image for row in rows if (image := _to_image(row, root=path.parent)) is not None]
    if not found:
        raise UsageError(
            f"{path} has no row with a caption and a box, out of {len(rows)}; nothing can be learned from it"
        )
    return found


def is_json(data: str | Path) -> bool:
    """Whether a dataset is a JSON; its name says so."""
    return Path(data).suffix.lower() == ".json"


def read_described(path: str | Path) -> list[Described]:
    """What a JSON says of its images, none of which is looked at.

    Raises:
        UsageError: it is neither of captions nor of LLaVA samples.
    """
    records = _load_objects(path)
    name, caption = caption_json.KEYS
    if all(isinstance(record.get(key), str) for record in records for key in (name, caption)):
        return [CaptionedImage(name=record[name], caption=record[caption]) for record in records]
    if all(llava_json.KEY in record for record in records):
        return list(group_samples(records, source=path))
    raise _foreign(path, "its objects have other keys")


def write_training_images(images: Sequence[TrainingImage], path: Path) -> None:
    """Keeps images as a parquet for `read_training_images`, without content and masks.

    What it reads back is what is to be trained on: an image without a caption or without a box is left out there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    entity = pa.struct([("tag", pa.string()), ("box", pa.list_(pa.float64()))])
    types = (pa.string(), pa.string(), pa.int32(), pa.int32(), pa.list_(entity), pa.string())
    rows = [
        {
            "image_id": image.image_id,
            "uri": str(image.path.absolute()),
            "width": image.width,
            "height": image.height,
            "entities": [{"tag": item.tag, "box": list(item.box.as_tuple())} for item in image.instances],
            "caption": image.caption,
        }
        for image in images
    ]
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    partial_path = path.with_name(f".writing_{path.name}")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial_path)
    partial_path.replace(path)


def _load_objects(path: str | Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _foreign(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise _foreign(path, "it is no list of objects")
    if not records:
        raise _foreign(path, "it is empty")
    return records


def _foreign(path: str | Path, problem: str) -> UsageError:
    return UsageError(
        f"a JSON dataset must be a list of objects with {' and '.join(caption_json.KEYS)} (SA-Pancap's captions) or "
        f"with image and {llava_json.KEY} (LLaVA), {path} is not ({problem}); give one of them, or a parquet"
    )


def _read_named(path: Path, *, root: Path, limit: int | None) -> list[TrainingImage]:
    described = read_described(path)[:limit]
    with ThreadPoolExecutor(_NUM_READING_THREADS) as pool:
        built = list(pool.map(partial(_build, root=root), described))
    refused = [(item.name, why) for item, why in zip(described, built, strict=True) if isinstance(why, LeftOutError)]
    if refused:
        reasons = Counter(str(why) for _, why in refused).most_common()
        told = (
            f"{len(refused)} of {len(described)} images of {path} are left out: "
            f"{', '.join(f'{count} {why}' for why, count in reasons)} (the first: {refused[0][0][:MAX_SHOWN]!r})"
        )
        if len(refused) == len(described):
            raise UsageError(f"{told}; looked for them in {root}, set images=FOLDER if they lie elsewhere")
        _logger.warning("%s", told)
    return [image for image in built if isinstance(image, TrainingImage)]


def _build(item: Described, *, root: Path) -> TrainingImage | LeftOutError:
    try:
        image = item.to_image(measure_image(item.name, root=root))
        "".join((str(image.path), image.caption, *(instance.tag for instance in image.instances))).encode()
    except UnicodeEncodeError:  # half an emoji, which JSON can say and no tokenizer takes
        return LeftOutError("text that is no UTF-8")
    except LeftOutError as error:
        return error
    return image


def _read_rows(path: Path, *, with_content: bool, limit: int | None) -> list[dict[str, Any]]:
    import pyarrow.dataset as ds

    dataset = ds.dataset(str(path), format="parquet")
    names = set(dataset.schema.names)
    if missing := [name for name in COLUMNS if name not in names]:
        raise UsageError(f"{path} lacks the columns {', '.join(missing)}; give the parquet of pancap scenes or engine")
    optional = [name for name in ("error", "mask", *(("content",) if with_content else ())) if name in names]
    columns = [*COLUMNS, *optional]
    table = dataset.to_table(columns=columns) if limit is None else dataset.head(limit, columns=columns)
    return list(table.to_pylist())


def _to_image(row: Mapping[str, Any], *, root: Path) -> TrainingImage | None:
    if row.get("error") or not row["caption"]:
        return None
    found: dict[Box, tuple[Instance, int]] = {}
    for place, instance in _instances(row["entities"] or ()):
        found.setdefault(instance.box, (instance, place))
    if not found:
        return None
    path = Path(row["uri"])
    return TrainingImage(
        image_id=row["image_id"],
        path=path if path.is_absolute() or path.exists() else root / path,
        width=row["width"],
        height=row["height"],
        instances=tuple(instance for instance, _ in found.values()),
        caption=row["caption"],
        content=_content(row.get("content")),
        mask=row.get("mask"),
        mask_values=tuple(place for _, place in found.values()) if row.get("mask") else (),
    )


def _instances(entities: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Instance]]:
    """Entities with a tag and a box, each with its place in the list, from 1."""
    for place, entity in enumerate(entities, start=1):
        if entity["box"] is None or not entity["tag"]:
            continue
        try:
            box = Box(*(round(float(value), BOX_DECIMALS) for value in entity["box"]))
        except ValueError:
            continue  # thinner than the caption's three decimals can say
        yield place, Instance(tag=entity["tag"], box=box)


def _content(row: Mapping[str, Any] | None) -> CaptionContent | None:
    from pancap.caption.arrow import content_from_row

    return None if row is None else content_from_row(row)
