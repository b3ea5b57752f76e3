"""What has been said of a content and what has not: the state that every style of caption keeps while it writes."""

from collections import defaultdict
from dataclasses import dataclass
from random import Random

from pancap.caption.content import CaptionContent, Entity
from pancap.engine.captioners.naming import Names
from pancap.engine.captioners.phrases import (
    Predicate,
    adjective_kind,
    as_sentence,
    join_verb_phrases,
    join_words,
    parse_predicate,
)
from pancap.engine.captioners.words import FEMININE_TAGS, MASCULINE_TAGS, PERSON_TAGS


@dataclass(frozen=True, slots=True)
class Link:
    """A relation that is still to be said."""

    subject_id: int
    object_id: int
    predicate: Predicate


class Telling:
    """The text so far and the rest of the content.

    Args:
        content: what to say.
        rng: makes the choices of the style that writes.
    """

    def __init__(self, content: CaptionContent, *, rng: Random) -> None:
        """Splits the content into pieces to be said."""
        self.rng = rng
        self.names = Names(content)
        self.entities = {entity.id: entity for entity in content.entities}
        self.sentences: list[str] = []
        self._attributes: dict[int, list[Predicate]] = defaultdict(list)
        for attribute in content.attributes:
            predicate = parse_predicate(attribute.text)
            if predicate is not None and predicate not in self._attributes[attribute.entity_id]:
                self._attributes[attribute.entity_id].append(predicate)
        self.links: list[Link] = []
        for relation in content.relations:
            predicate = parse_predicate(relation.text)
            link = Link(relation.subject_id, relation.object_id, predicate) if predicate else None
            if link is not None and link not in self.links:
                self.links.append(link)

    def attributes(self, entity_id: int) -> list[Predicate]:
        """What is still to be said of one entity, besides the adjective that is part of its name."""
        return [item for item in self._attributes[entity_id] if item != self.names.distinction(entity_id)]

    def take_attributes(self, entity_id: int) -> list[Predicate]:
        """The same, and counts as said."""
        return self._attributes.pop(entity_id, []) if not self.names.distinction(entity_id) else self._take(entity_id)

    def _take(self, entity_id: int) -> list[Predicate]:
        taken = self.attributes(entity_id)
        self._attributes.pop(entity_id, None)
        return taken

    def take_adjectives(self, entity_id: int, *, at_most: int) -> list[Predicate]:
        """Up to so many attributes that can stand before the noun; they count as said."""
        taken = [item for item in self.attributes(entity_id) if adjective_kind(item) is not None][:at_most]
        self._attributes[entity_id] = [item for item in self._attributes[entity_id] if item not in taken]
        return taken

    def take_link(self, link: Link) -> Link:
        """Counts a relation as said."""
        self.links.remove(link)
        return link

    def ready_links(self, entity_id: int) -> list[Link]:
        """Relations of that subject whose object has been introduced."""
        known = self.names.introduced
        return [link for link in self.links if link.subject_id == entity_id and link.object_id in known]

    def is_introduced(self, entity_id: int) -> bool:
        """Whether the text has named the entity."""
        return entity_id in self.names.introduced

    def say(self, text: str) -> None:
        """Adds one sentence."""
        self.sentences.append(as_sentence(text))

    def mention(self, entity_id: int, *, num_adjectives: int = 2, definite: bool = False) -> str:
        """The entity's name inside a sentence; the first time with its box and some of its adjectives."""
        if self.is_introduced(entity_id):
            return self.names.later(entity_id)
        numbered = self.names.is_ordinal(entity_id)
        adjectives = [] if numbered else self.take_adjectives(entity_id, at_most=num_adjectives)
        return self.names.introduce(entity_id, adjectives=adjectives, definite=definite or numbered)

    def present(self, entity_id: int, *, num_adjectives: int = 3) -> str:
        """The first mention after `there is` or `has`: `a red car [[...]]`, `another tree [[...]]`."""
        adjectives = self.take_adjectives(entity_id, at_most=num_adjectives)
        another = self.rng.random() < 0.5
        return self.names.introduce(entity_id, adjectives=adjectives, definite=False, another=another)

    def pronoun(self, entity_id: int) -> str | None:
        """`it`, `he`, `she` or `they`; None for people of unknown sex."""
        head = self.entities[entity_id].tag.split()[-1:] or [""]
        if head[0] in MASCULINE_TAGS | FEMININE_TAGS:
            return "he" if head[0] in MASCULINE_TAGS else "she"
        if head[0] in PERSON_TAGS:
            return None
        return "they" if self.names.is_plural(entity_id) else "it"

    def verb_phrases(self, predicates: list[Predicate], *, plural: bool) -> list[str]:
        """Attributes as verb phrases, all with `is` in one: `is red, open and made of wood`, `has a flat roof`."""
        copular = [item.rest for item in predicates if item.verb == "is" and item.rest]
        others = [item.render(plural=plural) for item in predicates if not (item.verb == "is" and item.rest)]
        verb = "are" if plural else "is"
        return ([f"{verb} {join_words(copular)}"] if copular else []) + others

    def link_phrase(self, links: list[Link], *, progressive: bool = False) -> str:
        """One relation, or several of the same predicate, as a verb phrase: `is behind the house and the tree`."""
        plural = self.names.is_plural(links[0].subject_id)
        verb = links[0].predicate.render(plural=plural, progressive=progressive)
        return f"{verb} {join_words([self.mention(link.object_id) for link in links])}"

    def say_of(self, subject: str, phrases: list[str]) -> None:
        """Says up to three verb phrases of one subject in one sentence."""
        self.say(f"{subject} {join_verb_phrases(phrases)}")

    def ordered_entities(self) -> list[Entity]:
        """Wholes in the order of the plan, every part after its whole."""
        wholes = [entity for entity in self.entities.values() if entity.kind == "whole"]
        whole_of = {link.subject_id: link.object_id for link in self.links if link.predicate.is_part_of}
        parts = [entity for entity in self.entities.values() if entity.kind == "part"]
        ordered = []
        for whole in self._arrange(wholes):
            ordered += [whole, *(part for part in parts if whole_of.get(part.id) == whole.id)]
        return ordered + [part for part in parts if part not in ordered]

    def _arrange(self, entities: list[Entity]) -> list[Entity]:
        def area(entity: Entity) -> float:
            return -entity.box.area if entity.box else 0.0

        plan = self.rng.choice(("large_first", "scenery_first", "scenery_last", "left_to_right"))
        if plan == "large_first":
            return sorted(entities, key=area)
        if plan == "left_to_right":
            return sorted(entities, key=lambda entity: entity.box.center[0] if entity.box else 1.0)
        is_last = plan == "scenery_last"
        return sorted(entities, key=lambda entity: (self.names.prefers_the(entity.id) is is_last, area(entity)))
