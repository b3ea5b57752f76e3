"""How a caption calls its entities: at the first mention, with the box, and at every later one."""

from collections import Counter, defaultdict

from pancap.caption.content import CaptionContent, Entity
from pancap.engine.captioners.phrases import (
    ADJECTIVE_ORDER,
    Predicate,
    adjective_kind,
    is_definite,
    is_plural,
    parse_predicate,
    render_box,
    with_article,
)

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """`first`, `second`, ...; from the eleventh on in digits (`11th`)."""
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"


class Names:
    """The names of the entities of one caption, and which of them have been introduced.

    Two entities of one tag are told apart by an adjective where every one has its own (`the red car`, `the blue car`),
    else by the order of their introduction (`the first tree`, `the second tree`).

    Args:
        content: what the caption is going to say.
    """

    def __init__(self, content: CaptionContent) -> None:
        """Finds for every tag how its instances can be told apart."""
        self._entities = {entity.id: entity for entity in content.entities}
        self._tag_counts = Counter(entity.tag for entity in content.entities)
        self._adjectives = _adjectives_of(content)
        self._distinctions = self._find_distinctions()
        self._ordinals: dict[int, int] = {}
        self._num_introduced: Counter[str] = Counter()
        self.introduced: set[int] = set()

    def distinction(self, entity_id: int) -> Predicate | None:
        """The adjective that is part of the entity's name, or None."""
        return self._distinctions.get(entity_id)

    def is_plural(self, entity_id: int) -> bool:
        """Whether the entity's verb is in the plural."""
        return is_plural(self._entities[entity_id].tag)

    def is_ordinal(self, entity_id: int) -> bool:
        """Whether the entity is told apart by its number."""
        return self._tag_counts[self._entities[entity_id].tag] > 1 and entity_id not in self._distinctions

    def prefers_the(self, entity_id: int) -> bool:
        """Whether "there is a ..." does not suit the entity."""
        return is_definite(self._entities[entity_id].tag)

    def later(self, entity_id: int) -> str:
        """The name after the introduction: `the car`, `the red car`, `the second tree`."""
        entity = self._entities[entity_id]
        distinction = self._distinctions.get(entity_id)
        if distinction is not None:
            return f"the {distinction.rest} {entity.tag}"
        if entity_id in self._ordinals:
            return f"the {ordinal(self._ordinals[entity_id])} {entity.tag}"
        return f"the {entity.tag}"

    def introduce(self, entity_id: int, *, adjectives: list[Predicate], definite: bool, another: bool = False) -> str:
        """The first mention, with the box.

        Args:
            entity_id: whom to introduce; must not have been introduced.
            adjectives: what to say before the noun, besides the adjective that tells the entity apart.
            definite: `the` rather than `a`.
            another: say `another` for the second of its tag where that fits.
        """
        entity = self._entities[entity_id]
        self.introduced.add(entity_id)
        self._num_introduced[entity.tag] += 1
        number = self._num_introduced[entity.tag]
        distinction = self._distinctions.get(entity_id)
        described = _describe(entity, [*adjectives, *([distinction] if distinction else [])])
        if self.is_ordinal(entity_id):
            self._ordinals[entity_id] = number
            phrase = self._numbered(entity, described, number=number, definite=definite, another=another)
        elif definite or is_definite(entity.tag):
            phrase = f"the {described}"
        else:
            phrase = with_article(described, plural=is_plural(entity.tag))
        return f"{phrase} {render_box(entity.box)}" if entity.box else phrase

    def _numbered(self, entity: Entity, described: str, *, number: int, definite: bool, another: bool) -> str:
        if definite:
            return f"the {ordinal(number)} {described}"
        if number == 1:
            return with_article(described, plural=is_plural(entity.tag))
        if number == 2 and another and not is_plural(entity.tag):
            return f"another {described}"
        return with_article(f"{ordinal(number)} {described}", plural=False)

    def _find_distinctions(self) -> dict[int, Predicate]:
        found: dict[int, Predicate] = {}
        for tag, count in self._tag_counts.items():
            if count > 1:
                ids = [entity.id for entity in self._entities.values() if entity.tag == tag]
                found |= self._distinguish(ids)
        return found

    def _distinguish(self, ids: list[int]) -> dict[int, Predicate]:
        for kind in ("color", "size", "pattern"):
            own = [[item for item in self._adjectives[i] if adjective_kind(item) == kind] for i in ids]
            if all(len(items) == 1 for items in own) and _are_told_apart([items[0].rest for items in own]):
                return {entity_id: items[0] for entity_id, items in zip(ids, own, strict=True)}
        return {}


def _adjectives_of(content: CaptionContent) -> dict[int, list[Predicate]]:
    found: dict[int, list[Predicate]] = defaultdict(list)
    for attribute in content.attributes:
        predicate = parse_predicate(attribute.text)
        if predicate is not None and adjective_kind(predicate) is not None:
            found[attribute.entity_id].append(predicate)
    return found


def _are_told_apart(phrases: list[str]) -> bool:
    """Whether no phrase also fits another: `red` would fit `dark red`."""
    words = [set(phrase.split()) for phrase in phrases]
    return not any(one <= other for i, one in enumerate(words) for j, other in enumerate(words) if i != j)


def _describe(entity: Entity, adjectives: list[Predicate]) -> str:
    ranks = {kind: rank for rank, kind in enumerate(ADJECTIVE_ORDER)}
    kinds = [(adjective_kind(item), item.rest) for item in adjectives]
    ordered = [rest for kind, rest in sorted(kinds, key=lambda pair: ranks[pair[0]] if pair[0] else len(ranks))]
    return " ".join([*ordered, entity.tag])
