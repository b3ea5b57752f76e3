"""A judge with no model: it reads English captions by rule, the same way every time."""

from collections.abc import Mapping

from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.scoring.judges.base import Support
from pancap.scoring.judges.reading import lexicon
from pancap.scoring.judges.reading.clauses import ClauseReader
from pancap.scoring.judges.reading.global_states import as_clauses, find_global_states
from pancap.scoring.judges.reading.meaning import attribute_answers, global_answers, relation_answers, sense_of
from pancap.scoring.judges.reading.mentions import Mentioned, Mentions
from pancap.scoring.judges.reading.tokens import read_sentences


class RuleJudge:
    """Reads free English with `[[x1, y1, x2, y2]]` boxes well enough to be useful; labelled as such in every result.

    Example:
        >>> content = RuleJudge().extract("A red car [[0.1, 0.5, 0.4, 0.9]] is to the left of a tree.")
        >>> [entity.tag for entity in content.entities], content.attributes[0].text, content.relations[0].text
        (['car', 'tree'], 'is red', 'is to the left of')
    """

    name = "rule"
    version = "1"

    def extract(self, caption: str) -> CaptionContent:
        """Everything the caption states; any text gives a content, if an empty one."""
        sentences = read_sentences(caption)
        mentions = Mentions()
        reader = ClauseReader(mentions)
        for sentence in sentences:
            reader.read(sentence)
        return _assemble(mentions, reader, as_clauses(find_global_states(sentences)))

    def supported(self, items: CaptionContent, other: CaptionContent, mapping: Mapping[int, int]) -> Support:
        """Which items of `items` the other caption states, from its content alone.

        Args:
            items: content whose items are asked about.
            other: content of the caption that answers.
            mapping: entity id of `items` -> id of the same entity in `other`; matched entities only.
        """
        return Support(
            attributes=attribute_answers(items, other, mapping),
            relations=relation_answers(items, other, mapping),
            globals=global_answers(items.globals, other.globals),
        )


def _assemble(mentions: Mentions, reader: ClauseReader, clauses: tuple[str, ...]) -> CaptionContent:
    """Content from what was read, with every group replaced by its members where those are named."""
    members = {entity.id: _members(entity, mentions) for entity in mentions.all}
    kept = [entity for entity in mentions.all if members[entity.id] == (entity.id,)]
    numbers = {entity.id: number for number, entity in enumerate(kept, start=1)}
    attributes = {
        (numbers[one], text): None
        for (entity, text) in reader.facts.attributes
        if sense_of(text).words
        for one in members[entity]
    }
    relations = {
        (numbers[one], numbers[two], text): None
        for (subject, target, text) in reader.facts.relations
        for one in members[subject]
        for two in members[target]
        if one != two
    }
    parts = {subject for subject, _, text in relations if text == "is part of"}
    return CaptionContent(
        entities=tuple(
            Entity(
                id=numbers[entity.id],
                tag=entity.tag,
                kind="part" if numbers[entity.id] in parts and entity.head in lexicon.PARTS else "whole",
                box=entity.box,
            )
            for entity in kept
        ),
        attributes=tuple(Attribute(entity_id=one, text=text) for one, text in attributes),
        relations=tuple(Relation(subject_id=one, object_id=two, text=text) for one, two, text in relations),
        globals=clauses,
    )


def _members(entity: Mentioned, mentions: Mentions) -> tuple[int, ...]:
    if not entity.is_group:
        return (entity.id,)
    named = [one.id for one in mentions.all if one.head == entity.head and not one.is_group and one.id > entity.id]
    return tuple(named[:8]) or (entity.id,)
