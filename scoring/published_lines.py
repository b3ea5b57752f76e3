"""The line format of the published scorer, read as the published scripts read it, quirks included.

Each line is `ID | entity|location|attribute|relation|global -->> (...)`. What the published reading does, found by
running it on well-formed and malformed lines:

- A line counts only with an integer id (`int()` decides: ` 01`, `+1` and `1_0` pass), then `|`, one of the five classes
  and ` -->> ` with single spaces; all others are skipped without a trace. A second `|` or ` -->> ` cuts the rest off.
- Underscores become spaces in the whole line; spaces and `)` are cut from the end, `(` from the start.
- An entity's tag is what follows the last comma. A location needs a known entity (a bare id will do) and four numbers
  between optional brackets, else it is left out of the figures, yet stays in the mapped question file.
- An attribute names a known entity, which its text must name too; a bare id is taken unchecked; `global` and `image`
  make it a global item. A relation names two known entities; only the first must be in its text, both where an id is
  bare.
- Entities must stand before the lines that name them. A repeated id takes the later tag, at the place of the first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

ARROW = " -->> "
_CLASSES = frozenset({"entity", "location", "attribute", "relation", "global"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An attribute (one subject), a relation (two) or a global item (none), with its text or its two questions."""

    subjects: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedContent:
    """What a content or question file says of one image; entities are named `entity 3`.

    Args:
        entities: tag of each entity, in the order of first mention.
        boxes: four numbers of each located entity, unchecked.
        unreadable_boxes: entities that have a location line which is not four numbers.
        attributes, relations, globals: statements in the order of the lines.
        layout: entity and location lines as written, each location with its id, each entity with None.
    """

    entities: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, tuple[float, ...]] = field(default_factory=dict)
    unreadable_boxes: set[str] = field(default_factory=set)
    attributes: list[Statement] = field(default_factory=list)
    relations: list[Statement] = field(default_factory=list)
    globals: list[Statement] = field(default_factory=list)
    layout: list[tuple[int | None, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAnswers:
    """The answer fields of each class, in the order of the lines; a well-formed line has two."""

    attributes: list[list[str]] = field(default_factory=list)
    relations: list[list[str]] = field(default_factory=list)
    globals: list[list[str]] = field(default_factory=list)


def read_content(text: str) -> PublishedContent:
    """Reads extracted content or questions."""
    content = PublishedContent()
    readers: dict[str, Callable[[PublishedContent, str], None]] = {
        "attribute": _read_attribute,
        "relation": _read_relation,
        "global": _read_global,
    }
    for number, kind, value, line in _lines(text):
        if kind == "entity":
            content.entities[f"entity {number}"] = value.split(",")[-1].strip(" ")
            content.layout.append((None, line))
        elif kind == "location":
            _read_location(content, value)
            content.layout.append((number, line))
        else:
            readers[kind](content, value)
    return content


def read_answers(text: str) -> PublishedAnswers:
    """Reads answers: the fields after the entities, which nothing compares with the questions."""
    answers = PublishedAnswers()
    for _, kind, value, _ in _lines(text):
        fields = [part.strip(" ").strip("\"'").strip(" ") for part in value.split(",")]
        if kind == "attribute" and _names_entity(fields[:1]):
            answers.attributes.append(fields[1:])
        elif kind == "relation" and _names_entity(fields[:2]):
            answers.relations.append(fields[2:])
        elif kind == "global":
            answers.globals.append(fields)
    return answers


def _lines(text: str) -> list[tuple[int, str, str, str]]:
    """(id, class, value, line with underscores replaced) of every line that the published scripts take."""
    taken = []
    for raw in text.split("\n"):
        line = raw.replace("_", " ")
        parts = line.split("|")
        body = parts[1].split(ARROW) if len(parts) > 1 else []
        kind = body[0].removeprefix(" ") if len(body) > 1 else ""
        if kind not in _CLASSES:
            continue
        try:
            number = int(raw.split("|")[0])
        except ValueError:
            continue
        taken.append((number, kind, body[1].rstrip(" )").lstrip("("), line))
    return taken


def _read_location(content: PublishedContent, value: str) -> None:
    subject, _, numbers = value.partition(",")
    entity = _full_name(subject.strip(" "))
    if entity not in content.entities:
        return
    try:
        x1, y1, x2, y2 = (float(number) for number in numbers.strip(" ").strip('"').strip("[]").split(","))
    except ValueError:
        content.unreadable_boxes.add(entity)
    else:
        content.boxes[entity] = x1, y1, x2, y2


def _read_attribute(content: PublishedContent, value: str) -> None:
    subject, _, rest = value.partition(",")
    rest = rest.strip(" ")
    if subject in {"global", "image"}:
        content.globals.append(Statement(subjects=(), text=rest.strip('"')))
        return
    entity = _full_name(subject)
    if entity in content.entities and (entity != subject or entity in rest):
        content.attributes.append(Statement(subjects=(entity,), text=rest.strip('"')))


def _read_relation(content: PublishedContent, value: str) -> None:
    fields = [part.strip(" ") for part in value.split(",", 2)]
    if len(fields) < 3:
        return
    first, second, rest = _full_name(fields[0]), _full_name(fields[1]), fields[2]
    checked = {first} if [first, second] == fields[:2] else {first, second}
    if {first, second} <= content.entities.keys() and all(entity in rest for entity in checked):
        content.relations.append(Statement(subjects=(first, second), text=rest.strip('"')))


def _read_global(content: PublishedContent, value: str) -> None:
    content.globals.append(Statement(subjects=(), text=value.strip(" ").strip('"')))


def _full_name(subject: str) -> str:
    """`entity 3` for the bare id `3`."""
    return f"entity {subject}" if subject.isdigit() else subject


def _names_entity(subjects: list[str]) -> bool:
    return all("entity" in subject for subject in subjects)
