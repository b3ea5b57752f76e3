"""Statements of one caption, their contradictions, and whether another caption supports them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pancap.caption.content import CaptionContent
from pancap.caption.formats.sapancap import render_box
from pancap.scoring.judges.llm.quoting import quote_caption, quote_statement
from pancap.scoring.judges.llm.replies import InvalidReplyError, read_object

# xgrammar 0.2.8 cannot compile such a class repeated more than 128 times.
CONTRADICTION_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"false": {"type": "string", "pattern": r'^[^"\\]{1,120}$'}},
        "required": ["false"],
        "additionalProperties": False,
    }
)
ANSWERS = ("yes yes", "yes no", "no yes", "no no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An item in words, its entities named E1 and E2.

    Args:
        text: `E1 is behind E2`.
        tags: of E1 and E2 in the caption that states it; none for a statement about the whole image.
        entity_ids: of E1 and E2 in the caption that answers.
    """

    text: str
    tags: tuple[str, ...]
    entity_ids: tuple[int, ...]


def state_items(items: CaptionContent, mapping: Mapping[int, int]) -> Iterator[Statement | None]:
    """A statement for each attribute, relation and global item; None where its entities have no match."""
    tags = {entity.id: entity.tag for entity in items.entities}
    for attribute in items.attributes:
        yield _state((attribute.entity_id,), f"E1 {attribute.text}", tags, mapping)
    for relation in items.relations:
        yield _state((relation.subject_id, relation.object_id), f"E1 {relation.text} E2", tags, mapping)
    for text in items.globals:
        yield Statement(text=quote_statement(text), tags=(), entity_ids=())


def _state(ids: tuple[int, ...], text: str, tags: Mapping[int, str], mapping: Mapping[int, int]) -> Statement | None:
    if not all(number in mapping for number in ids):
        return None
    return Statement(
        text=quote_statement(text),
        tags=tuple(quote_statement(tags[number]) for number in ids),
        entity_ids=tuple(mapping[number] for number in ids),
    )


def ask_contradiction(statement: Statement) -> str:
    """What the model is given to contradict; the same for equal statements of any two captions."""
    about = " ".join(f"E{place} is a {tag}." for place, tag in enumerate(statement.tags, start=1))
    return f"{about or 'About the whole image.'}\nTrue: {statement.text}\nReply:"


def read_contradiction(text: str, statement: Statement) -> str:
    """The contradiction in a reply.

    Raises:
        InvalidReplyError: there is none, it is the statement itself, or it is about something else.
    """
    value = read_object(text).get("false")
    if not isinstance(value, str) or not any(character.isalnum() for character in value):
        raise InvalidReplyError("no statement")
    value = quote_statement(value)
    if value.casefold().rstrip(".") == statement.text.casefold().rstrip("."):
        raise InvalidReplyError("the true statement again")
    if not all(f"E{place}" in value for place in range(1, len(statement.tags) + 1)):
        raise InvalidReplyError("about something else")
    return value


def describe_caption(caption: str, content: CaptionContent) -> str:
    """What all statements about one caption share: its text, and its entities with their ids."""
    lines = [
        f"{entity.id} {quote_statement(entity.tag)}{f' {render_box(entity.box)}' if entity.box else ''}"
        for entity in content.entities
    ]
    return f"{quote_caption(caption)}\nEntities of this caption:\n" + "\n".join(lines or ["none"])


def ask_support(statement: Statement, contradiction: str) -> str:
    """What follows the caption: the statement and its contradiction, in the order of `is_swapped`."""
    about = " ".join(f"E{place} is entity {number}." for place, number in enumerate(statement.entity_ids, start=1))
    first, second = statement.text, contradiction
    if is_swapped(statement, contradiction):
        first, second = second, first
    return f"{about or 'About the whole image.'}\nStatement 1: {first}\nStatement 2: {second}\nReply:"


def read_support(text: str, statement: Statement, contradiction: str) -> float:
    """Share of the two that were answered right: 1, 0.5 or 0.

    Raises:
        InvalidReplyError: the reply is none of the four.
    """
    words = text.strip().strip("\"'.").casefold().replace(",", " ").split()
    if " ".join(words) not in ANSWERS:
        raise InvalidReplyError("not two of yes and no")
    right = ["no", "yes"] if is_swapped(statement, contradiction) else ["yes", "no"]
    return sum(word == expected for word, expected in zip(words, right, strict=True)) / 2


def is_swapped(statement: Statement, contradiction: str) -> bool:
    """Whether the contradiction comes first: half of the time, and always alike."""
    return bool(hashlib.sha256(f"{statement.text}\0{contradiction}".encode()).digest()[0] & 1)
