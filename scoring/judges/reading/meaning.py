"""Whether one statement says what another says: colours and shades, opposites, inverse relations, stems."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pancap.caption.content import CaptionContent
from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading import senses
from pancap.scoring.judges.reading.global_states import GlobalStates, read_clause
from pancap.scoring.judges.reading.words import classify, singular, stem

OVERLAP: Final = 0.6
"""Share of an item's content words that the evidence must hold; colours and words with an opposite must be there."""
_SINGLE_OVERLAP: Final = 0.5
"""Share of a longer statement (`has a striped pattern`) that an item must speak of to be supported by it."""

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9'\-]*")
_QUOTED: Final = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Sense:
    """A predicate, reduced to what matters when comparing.

    Args:
        words: stems and synonym groups; colours as `colour:red`.
        keys: those of `words` that overlap cannot replace: colours, written text, words with an opposite.
        shades: `light` or `dark`, where a colour is said with one.
        is_plain: an `is ...` predicate.
        is_negated: `is not ...`.
    """

    words: frozenset[str]
    keys: frozenset[str]
    shades: frozenset[str]
    is_plain: bool
    is_negated: bool


@lru_cache(maxsize=65536)
def sense_of(text: str) -> Sense:
    """Reduces a predicate or a tag.

    Example:
        >>> sorted(sense_of("has a dark grey colour").words)
        ['colour:gray']
    """
    words: set[str] = set()
    keys: set[str] = set()
    shades: set[str] = set()
    lower = text.lower()
    for quoted in _QUOTED.findall(lower):
        keys.add("text:" + re.sub(r"\W+", " ", quoted).strip())
    found = _WORD.findall(_QUOTED.sub(" ", lower))
    if found[-1:] in (["on"], ["off"]):
        keys.add("switched-" + found[-1])
    for word in found:
        if keys and word in senses.TEXT_WORDS:
            continue
        parts = [word] if word in senses.GROUPS or "-" not in word else word.split("-")
        for part in parts:
            _add(part, words, keys, shades)
    if shades and not any(word.startswith("colour:") for word in keys):
        keys |= shades
        shades = set()
    negated = not senses.NEGATIONS.isdisjoint(found)
    return Sense(frozenset(words | keys), frozenset(keys), frozenset(shades), found[:1] in (["is"], ["are"]), negated)


def _add(word: str, words: set[str], keys: set[str], shades: set[str]) -> None:
    if word in senses.SILENT:
        return
    if word in lx.COLOURS:
        shade, _, colour = lx.COLOURS[word].rpartition(" ")
        keys.add("colour:" + colour)
        if shade:
            shades.add(shade)
        return
    group = senses.GROUPS.get(word) or senses.GROUPS.get(singular(word))
    if group in ("dark", "light"):
        shades.add(group)
    elif group is not None:
        (keys if group in senses.OPPOSITES else words).add(group)
    else:
        words.add(stem(word))


def covers(evidence: frozenset[str], shades: frozenset[str], item: Sense) -> bool:
    """Whether words of one or several statements hold what the item says."""
    if not item.words or not item.keys <= evidence:
        return False
    if item.shades and shades and item.shades.isdisjoint(shades):
        return False
    if any(senses.OPPOSITES[key] & evidence and key not in evidence for key in item.keys if key in senses.OPPOSITES):
        return False
    return len(item.words & evidence) >= OVERLAP * len(item.words)


class _Evidence:
    """All that one caption says about each of its entities."""

    def __init__(self, content: CaptionContent) -> None:
        self.tags = {entity.id: sense_of(entity.tag).words for entity in content.entities}
        self.direct: dict[int, list[Sense]] = defaultdict(list)
        self.linked: dict[int, list[tuple[frozenset[str], int]]] = defaultdict(list)
        for attribute in content.attributes:
            self.direct[attribute.entity_id].append(sense_of(attribute.text))
        for relation in content.relations:
            words = sense_of(relation.text).words
            self.linked[relation.subject_id].append((words, relation.object_id))
            if relation.text in ("is part of", "belongs to", "is worn by", "is held by"):
                self.linked[relation.object_id].append((words, relation.subject_id))

    def supports(self, entity_id: int, item: Sense) -> bool:
        """Whether something said about the entity says the item."""
        same = [sense for sense in self.direct[entity_id] if sense.is_negated == item.is_negated]
        if any(sense.words == item.words and _shades_agree(sense, item) for sense in same):
            return bool(item.words)
        plain = [sense for sense in same if sense.is_plain]
        words = frozenset().union(*(sense.words for sense in plain))
        if not item.is_negated:
            words |= self.tags.get(entity_id, frozenset())
        shades = frozenset().union(*(sense.shades for sense in plain if sense.words & item.keys))
        if covers(words, shades, item):
            return True
        for sense in same:
            is_close = not item.is_plain or len(sense.words & item.words) >= _SINGLE_OVERLAP * len(sense.words)
            if not sense.is_plain and is_close and covers(sense.words, sense.shades, item):
                return True
        return not item.is_negated and self._linked_supports(entity_id, item)

    def _linked_supports(self, entity_id: int, item: Sense) -> bool:
        """`has a flat roof`, where the other caption makes the roof an entity of its own."""
        for words, other in self.linked[entity_id]:
            tag = self.tags.get(other, frozenset())
            if not tag & item.words:
                continue
            described = words | tag | frozenset().union(*(sense.words for sense in self.direct[other]))
            if covers(described, frozenset(), item):
                return True
        return False


def _shades_agree(one: Sense, other: Sense) -> bool:
    return not (one.shades and other.shades and one.shades.isdisjoint(other.shades))


def attribute_answers(items: CaptionContent, other: CaptionContent, mapping: Mapping[int, int]) -> tuple[bool, ...]:
    """For each attribute of `items`, whether `other` says it of the same entity."""
    evidence = _Evidence(other)
    return tuple(
        item.entity_id in mapping and evidence.supports(mapping[item.entity_id], sense_of(item.text))
        for item in items.attributes
    )


@lru_cache(maxsize=65536)
def links_of(text: str) -> frozenset[str]:
    """The kinds of link a relation states, each with its direction (`left>`; `left<` is to the right of).

    Example:
        >>> sorted(links_of("is to the right of")), sorted(links_of("stands on"))
        (['left<'], ['on>'])
    """
    lower = " ".join(text.lower().split())
    mark = "!" if re.search(r"\b(?:not|never|no)\b", lower) else ""
    rest = lower
    links: set[str] = set()
    for phrase, link in senses.LINK_PHRASES:
        if phrase in f" {rest} ":
            links.add(link)
            rest = f" {rest} ".replace(phrase, "  ", 1).strip()
    for word in _WORD.findall(rest):
        if word in senses.SILENT or word in senses.POSTURE_WORDS or word in senses.NEGATIONS:
            continue
        verb = senses.VERB_LINKS.get(classify(word).base, "do-" + stem(word))
        links.add(verb + ("<" if re.search(r"\bby\b", lower) else ">"))
    links = {link for link in links if link} or {"be>"}
    mirrored = {link[:-1] + "<" for link in links if link[:-1] in senses.SYMMETRIC}
    mirrored |= {link[:-1] + ">" for link in links if link[:-1] in senses.SYMMETRIC}
    return frozenset(mark + link for link in links | mirrored)


def _inverted(links: frozenset[str]) -> set[str]:
    return {link[:-1] + ("<" if link.endswith(">") else ">") for link in links}


def relation_answers(items: CaptionContent, other: CaptionContent, mapping: Mapping[int, int]) -> tuple[bool, ...]:
    """For each relation of `items`, whether `other` says it, or its inverse the other way round."""
    stated: dict[tuple[int, int], set[str]] = defaultdict(set)
    for relation in other.relations:
        links = links_of(relation.text)
        stated[relation.subject_id, relation.object_id] |= links
        stated[relation.object_id, relation.subject_id] |= _inverted(links)
    answers = []
    for item in items.relations:
        pair = (mapping.get(item.subject_id, 0), mapping.get(item.object_id, 0))
        known = stated.get(pair, set())
        answers.append(bool(known) and any(_link_holds(link, known) for link in links_of(item.text)))
    return tuple(answers)


def _link_holds(link: str, known: set[str]) -> bool:
    return link in known or any(stronger in known for stronger in senses.IMPLIED_BY.get(link, ()))


def global_answers(items: tuple[str, ...], other: tuple[str, ...]) -> tuple[bool, ...]:
    """For each global item, whether the other caption's global items say it."""
    known: GlobalStates = {}
    for clause in other:
        for aspect, values in _states_of(clause).items():
            known.setdefault(aspect, {}).update(values)
    return tuple(_global_holds(item, known, other) for item in items)


def _global_holds(item: str, known: GlobalStates, other: tuple[str, ...]) -> bool:
    states = _states_of(item)
    if not states:
        sense = sense_of(item)
        senses_there = [sense_of(clause) for clause in other]
        return any(
            there.is_negated == sense.is_negated and covers(there.words, there.shades, sense) for there in senses_there
        )
    for aspect, values in states.items():
        shared = sum(value in known.get(aspect, {}) for value in values)
        if shared == 0 or 2 * shared < len(values):
            return False
    return True


@lru_cache(maxsize=8192)
def _states_of(clause: str) -> GlobalStates:
    return read_clause(clause)
