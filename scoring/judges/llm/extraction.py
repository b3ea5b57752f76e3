"""What a model is asked to extract from a caption, and how its reply is read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.caption.formats.sapancap import parse
from pancap.scoring.judges.llm.replies import InvalidReplyError, read_object

ItemT = TypeVar("ItemT")

_ID = "[1-9][0-9]{0,2}"
# xgrammar 0.2.8 cannot compile such a class repeated more than 128 times.
_TEXT = r'[^|"\\]{1,120}'
_PATTERNS = {
    "entities": rf"^{_ID}\|(whole|part)\|{_TEXT}\|[0-9]{{0,3}}$",
    "attributes": rf"^{_ID}\|{_TEXT}$",
    "relations": rf"^{_ID}\|{_ID}\|{_TEXT}$",
    "globals": rf"^{_TEXT}$",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """One reply, read.

    Args:
        content: what the caption states.
        num_dropped: lines left out: malformed, doubled, or about an entity that is not listed.
        is_full: a list reached its greatest length, so the caption may state more.
    """

    content: CaptionContent
    num_dropped: int
    is_full: bool


def number_boxes(caption: str) -> tuple[str, tuple[Box, ...]]:
    """The caption with `[box 1]`, `[box 2]`, ... for its boxes, and the boxes; equal boxes share a number.

    Example:
        >>> number_boxes("A dog [[0.1, 0.2, 0.3, 0.4]] on a mat.")[0]
        'A dog [box 1] on a mat.'
    """
    numbers: dict[Box, int] = {}
    parts = []
    for segment in parse(caption).segments:
        if isinstance(segment, Box):
            parts.append(f"[box {numbers.setdefault(segment, len(numbers) + 1)}]")
        else:
            parts.append(segment)
    return "".join(parts), tuple(numbers)


def extraction_schema(*, max_items: int) -> str:
    """JSON schema of a reply, each list of at most so many items."""
    lists = {
        name: {"type": "array", "items": {"type": "string", "pattern": pattern}, "maxItems": max_items}
        for name, pattern in _PATTERNS.items()
    }
    return json.dumps({"type": "object", "properties": lists, "required": list(lists), "additionalProperties": False})


def read_extraction(text: str, boxes: Sequence[Box], *, max_items: int) -> Extraction:
    """Reads a reply; lines that say nothing usable are left out and counted.

    Raises:
        InvalidReplyError: it is no JSON object with the four lists.
    """
    lists = _lists(read_object(text))
    num_lines = sum(map(len, lists.values()))
    entities = _read_entities(lists["entities"], boxes)
    known = {entity.id for entity in entities}
    content = CaptionContent(
        entities=tuple(entities),
        attributes=_distinct(
            Attribute(entity_id=ids[0], text=rest)
            for ids, rest in _split(lists["attributes"], num_ids=1)
            if known.issuperset(ids)
        ),
        relations=_distinct(
            Relation(subject_id=ids[0], object_id=ids[1], text=rest)
            for ids, rest in _split(lists["relations"], num_ids=2)
            if known.issuperset(ids) and ids[0] != ids[1]
        ),
        globals=_distinct(rest for _, rest in _split(lists["globals"], num_ids=0)),
    )
    num_kept = len(entities) + len(content.attributes) + len(content.relations) + len(content.globals)
    return Extraction(
        content=content,
        num_dropped=num_lines - num_kept,
        is_full=any(len(lines) >= max_items for lines in lists.values()),
    )


def _lists(reply: dict[str, Any]) -> dict[str, list[str]]:
    lists = {name: reply.get(name) for name in _PATTERNS}
    if not all(isinstance(lines, list) and all(isinstance(line, str) for line in lines) for lines in lists.values()):
        raise InvalidReplyError("not the four lists")
    return lists  # type: ignore[return-value]


def _read_entities(lines: Iterable[str], boxes: Sequence[Box]) -> list[Entity]:
    entities: dict[int, Entity] = {}
    for (number,), rest in _split(lines, num_ids=1):
        kind, tag, box, *more = [part.strip() for part in f"{rest}||".split("|")]
        if kind not in ("whole", "part") or not _has_word(tag) or any(more) or number in entities:
            continue
        place = int(box) if box.isascii() and box.isdigit() else 0
        entities[number] = Entity(
            id=number,
            tag=" ".join(tag.casefold().split()),
            kind="part" if kind == "part" else "whole",
            box=boxes[place - 1] if 0 < place <= len(boxes) else None,
        )
    return list(entities.values())


def _split(lines: Iterable[str], *, num_ids: int) -> Iterable[tuple[tuple[int, ...], str]]:
    """Ids and text of each line that has both."""
    for line in lines:
        *ids, rest = (part.strip() for part in line.split("|", num_ids))
        if len(ids) == num_ids and _has_word(rest) and all(part.isascii() and part.isdigit() for part in ids):
            yield tuple(int(part[:6]) for part in ids), rest


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _distinct(items: Iterable[ItemT]) -> tuple[ItemT, ...]:
    return tuple(dict.fromkeys(items))
