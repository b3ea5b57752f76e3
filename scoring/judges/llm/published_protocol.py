"""What a judge writes in the published protocol, for its cost: lines `ID | class -->> (...)`.

`pancap.scoring.published_lines` reads them.
"""

from collections.abc import Mapping, Sequence

from pancap.caption.content import CaptionContent
from pancap.caption.formats.sapancap import render_box


def content_lines(content: CaptionContent) -> list[str]:
    """A content as the published extraction writes it."""
    lines = _entity_lines(content)
    lines += [f'attribute -->> ({_about(ids)}, "{text}")' for ids, text in _statements(content) if len(ids) == 1]
    lines += [f'relation -->> ({_about(ids)}, "{text}")' for ids, text in _statements(content) if len(ids) == 2]
    lines += [f'global -->> ("{text}")' for text in content.globals]
    return _numbered(lines)


def question_lines(content: CaptionContent) -> list[str]:
    """The published questions about a content, with the entity and location lines that stand before them."""
    lines = _entity_lines(content)
    for ids, text in _statements(content):
        kind = "attribute" if len(ids) == 1 else "relation"
        lines.append(f'{kind} -->> ({_about(ids)}, "Is {text}?", "Is {text}?")')
    lines += [f'global -->> ("Is {text}?", "Is {text}?")' for text in content.globals]
    return _numbered(lines)


def answer_lines(content: CaptionContent, mapping: Mapping[int, int]) -> list[str]:
    """The published answers to the questions about matched entities, and about global items.

    Args:
        content: whose items are asked about.
        mapping: see `Inquiry`.
    """
    lines = []
    for ids, _ in _statements(content):
        if all(number in mapping for number in ids):
            kind = "attribute" if len(ids) == 1 else "relation"
            lines.append(f'{kind} -->> ({_about([mapping[number] for number in ids])}, "Yes", "No")')
    lines += ['global -->> ("Yes", "No")' for _ in content.globals]
    return _numbered(lines)


def _entity_lines(content: CaptionContent) -> list[str]:
    lines = [f"entity -->> ({entity.kind}, {entity.tag})" for entity in content.entities]
    return lines + [
        f"location -->> (entity {entity.id}, {render_box(entity.box)[1:-1]})"
        for entity in content.entities
        if entity.box
    ]


def _statements(content: CaptionContent) -> list[tuple[list[int], str]]:
    """Entity ids and published wording of each attribute and relation."""
    attributes = [([item.entity_id], f"entity {item.entity_id} {item.text}") for item in content.attributes]
    relations = [
        ([item.subject_id, item.object_id], f"entity {item.subject_id} {item.text} entity {item.object_id}")
        for item in content.relations
    ]
    return attributes + relations


def _about(ids: Sequence[int]) -> str:
    return ", ".join(f"entity {number}" for number in ids)


def _numbered(lines: Sequence[str]) -> list[str]:
    return [f"{number} | {line}" for number, line in enumerate(lines, start=1)]
