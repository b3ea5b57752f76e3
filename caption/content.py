"""What a panoptic caption says, apart from how it says it."""

from dataclasses import dataclass, field
from typing import Literal

from pancap.caption.boxes import Box

EntityKind = Literal["whole", "part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One thing or stuff region of the image.

    Args:
        id: number that attributes and relations refer to; unique within a caption, from 1.
        tag: category label, a lower-case noun phrase (`traffic light`).
        kind: `part` for a component of another entity (the door of a house), else `whole`.
        box: visible extent, or None where the caption gives none.
    """

    id: int
    tag: str
    kind: EntityKind = "whole"
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A predicate about one entity, without its subject: `is red`, `has striped walls`."""

    entity_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A predicate between two entities, without its subject and object: `is to the left of`, `holds`."""

    subject_id: int
    object_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionContent:
    """Everything one panoptic caption states, in the five dimensions.

    Args:
        entities: tag and location of each instance.
        attributes: predicates of single entities.
        relations: predicates of pairs.
        globals: whole clauses about the image (`the lighting is soft`, `the weather is rainy`).

    Raises:
        ValueError: an id occurs twice, or an attribute or relation names an id that no entity has.
    """

    entities: tuple[Entity, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    relations: tuple[Relation, ...] = ()
    globals: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Checks ids."""
        ids = [entity.id for entity in self.entities]
        known = set(ids)
        if len(known) != len(ids):
            raise ValueError(f"entity ids must be unique, got {sorted(ids)}")
        used = {item.entity_id for item in self.attributes}
        used |= {end for item in self.relations for end in (item.subject_id, item.object_id)}
        if used - known:
            raise ValueError(f"attributes and relations name entities {sorted(used - known)} that are not listed")

    def entity(self, entity_id: int) -> Entity:
        """The entity of that id.

        Raises:
            KeyError: no entity has it.
        """
        for entity in self.entities:
            if entity.id == entity_id:
                return entity
        raise KeyError(entity_id)
