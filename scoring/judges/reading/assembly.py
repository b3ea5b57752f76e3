"""From what was read to a content: groups give way to their members, mere features become attributes."""

from collections import Counter
from typing import Final

from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.meaning import sense_of
from pancap.scoring.judges.reading.mentions import Mentioned, Mentions
from pancap.scoring.judges.reading.statements import MAX_SPREAD, Facts

# `wears a red shirt` is what a person looks like, unless the shirt has a box or is spoken of again.
_FEATURE_LINKS: Final = ("has", "wears", "shows", "is covered with", "is filled with", "is dressed in")


def assemble(mentions: Mentions, facts: Facts, clauses: tuple[str, ...]) -> CaptionContent:
    """The content, with ids from 1 in order of first mention.

    Args:
        mentions: every entity that was named.
        facts: what was said of them.
        clauses: global items.
    """
    _fold_places(mentions, facts)
    _fold_features(mentions, facts)
    members = {entity.id: _members(entity, mentions) for entity in mentions.all}
    kept = [entity for entity in mentions.all if members[entity.id] == (entity.id,)]
    numbers = {entity.id: number for number, entity in enumerate(kept, start=1)}
    attributes = {
        (numbers[one], text): None
        for (entity, text) in facts.attributes
        if sense_of(text).words
        for one in members[entity]
    }
    relations = {
        (numbers[one], numbers[two], text): None
        for (subject, target, text) in facts.relations
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
                kind="part" if numbers[entity.id] in parts and entity.head in lx.PARTS else "whole",
                box=entity.box,
            )
            for entity in kept
        ),
        attributes=tuple(Attribute(entity_id=one, text=text) for one, text in attributes),
        relations=tuple(Relation(subject_id=one, object_id=two, text=text) for one, two, text in relations),
        globals=clauses,
    )


def _members(entity: Mentioned, mentions: Mentions) -> tuple[int, ...]:
    """The entity itself; for a group, those of its kind that were named later; nothing where it was folded away."""
    if entity.is_folded:
        return ()
    if not entity.is_group:
        return (entity.id,)
    named = mentions.named_after(entity)
    return tuple(named[:MAX_SPREAD]) or (entity.id,)


def _fold_places(mentions: Mentions, facts: Facts) -> None:
    """Turns `a scarf around her neck` into a relation of scarf and woman, where nothing else is said of the neck."""
    described = {one for one, _ in facts.attributes}
    links: dict[int, list[tuple[int, int, str]]] = {}
    for link in facts.relations:
        for one in link[:2]:
            links.setdefault(one, []).append(link)
    for place in mentions.all:
        is_passing = place.owner and place.box is None and place.times == 1 and place.id not in described
        if not is_passing or place.head not in lx.BODY:
            continue
        owned = ((place.owner, "is part of"), (place.owner, "belongs to"))
        told = links.get(place.id, [])
        if any(subject == place.id and (owner, text) not in owned for subject, owner, text in told):
            continue
        for subject, target, text in told:
            facts.relations.pop((subject, target, text), None)
            if place.owner not in (subject, mentions.all[subject - 1].owner):
                facts.relations[subject, place.owner, f"{text} the {place.tag} of"] = None
        place.is_folded = True


def _fold_features(mentions: Mentions, facts: Facts) -> None:
    """Turns things without a box that one statement mentions in passing into attributes of their owner.

    From the last to the first, so that the stripes of the shoes are folded before the shoes are.
    """
    as_object = Counter(target for _, target, _ in facts.relations)
    as_subject = Counter(subject for subject, _, _ in facts.relations)
    described: dict[int, list[str]] = {}
    for one, text in facts.attributes:
        described.setdefault(one, []).append(text)
    for subject, target, text in reversed(facts.relations):
        feature = mentions.all[target - 1]
        is_fleeting = feature.box is None and feature.times == 1 and not as_subject[target] and as_object[target] == 1
        if not is_fleeting or text not in _FEATURE_LINKS or mentions.named_after(feature):
            continue
        said = described.get(target, [])
        before = [_adjective(one) for one in said if not one.startswith("has ")]
        if None in before:
            continue
        words = " ".join([*(word for word in before if word), feature.tag])
        after = " and ".join(one.removeprefix("has ") for one in said if one.startswith("has "))
        folded = f"{text} {_article(words, feature)}{words}" + (f" with {after}" if after else "")
        facts.attributes[subject, folded] = None
        described.setdefault(subject, []).append(folded)
        as_subject[subject] -= 1
        feature.is_folded = True


def _adjective(said: str) -> str | None:
    """The modifier that a predicate was made from, or None where it was more than one."""
    if said.startswith("is made of "):
        return said.removeprefix("is made of ")
    words = said.split()
    if words[0] != "is" or len(words) > 3 or (len(words) == 3 and words[1] not in lx.SHADES):
        return None
    return " ".join(words[1:])


def _article(words: str, feature: Mentioned) -> str:
    if feature.is_group or feature.tag.endswith("s") or not feature.is_counted:
        return ""
    return "an " if words[0] in "aeiou" else "a "
