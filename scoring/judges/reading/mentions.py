"""Which entity a noun phrase speaks about: new ones are opened, known ones found again."""

from dataclasses import dataclass, field

from pancap.caption.boxes import Box
from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.phrase import Phrase
from pancap.scoring.judges.reading.words import singular

SUMMARY_SENTENCES = 2
"""What the first sentences name with `a` may be introduced once more, with its box, further down."""
MAX_ENTITIES = 400
"""A caption that names more things than this is not read further; real ones stay under 60."""


@dataclass(slots=True)
class Mentioned:
    """An entity while the caption is being read.

    Args:
        id: number, from 1 in order of first mention.
        tag: noun phrase without adjectives.
        head: last noun of the tag, in the singular.
        box: its box, once one is given.
        words: modifiers that were used for it, to tell it from others of its kind.
        owner: id of what it belongs to, 0 where none.
        ordinal: `the second car` -> 2, 0 where none.
        is_group: one mention of several things (`three men`), replaced by its members where they are named.
        sentence: number of the sentence that opened it.
        times: how often it has been mentioned, pronouns included.
        rank: 1 for the first single thing of its kind, 2 for the next, 0 for a group.
        is_counted: whether it was opened with `a` or a number.
        is_folded: whether it became an attribute of another entity.
    """

    id: int
    tag: str
    head: str
    box: Box | None = None
    words: set[str] = field(default_factory=set)
    owner: int = 0
    ordinal: int = 0
    is_group: bool = False
    sentence: int = 0
    times: int = 0
    rank: int = 0
    is_counted: bool = False
    is_folded: bool = False


class Mentions:
    """The entities met so far, and what a pronoun would mean; while closed, a bare mention opens no new one."""

    def __init__(self) -> None:
        """Nothing read yet."""
        self.all: list[Mentioned] = []
        self.topic: tuple[int, ...] = ()
        self.person: tuple[int, ...] = ()
        self.thing: tuple[int, ...] = ()
        self.sentence = 0
        self.is_closed = False
        self._by_box: dict[Box, int] = {}
        self._by_head: dict[str, list[Mentioned]] = {}

    def refer(
        self, phrase: Phrase, *, owner: int = 0, is_label: bool = False, is_feature: bool = False
    ) -> tuple[int, ...]:
        """Ids of what the phrase names; empty where it names no entity.

        Args:
            phrase: the noun phrase.
            owner: id of what it belongs to, 0 where not said.
            is_label: the phrase is the heading of a list entry.
            is_feature: the phrase follows `has` or `wears`, so that `a shirt` is never one that is known.
        """
        if phrase.pronoun:
            ids = self._by_pronoun(phrase.pronoun)
            for one in ids:
                self.all[one - 1].times += 1
            return ids
        if phrase.boxes:
            ids = self._with_boxes(phrase, owner, is_label)
        elif phrase.head in ("one", "other") or phrase.text in ("one", "other"):
            ids = self._other_of_kind(phrase)
        elif self._names_nothing(phrase):
            return ()
        else:
            ids = self._without_box(phrase, owner, is_label, is_feature)
        self._note(ids, phrase)
        return ids

    def place(self, entity_id: int, boxes: tuple[Box, ...]) -> None:
        """Gives an entity the box that was written away from its name."""
        entity = self.all[entity_id - 1]
        if entity.box is None and boxes:
            entity.box = boxes[0]
            entity.is_group = False
            self._by_box.setdefault(boxes[0], entity_id)
            for box in boxes[1:]:
                self._open(entity.tag, entity.head, box=box, owner=entity.owner)

    def note_words(self, ids: tuple[int, ...], words: list[str]) -> None:
        """Keeps what was said of an entity, to know it again by (`the largest canister`)."""
        if len(ids) == 1:
            self.all[ids[0] - 1].words.update(words)

    def latest_without_box(self) -> tuple[int, ...]:
        """The last entity that this sentence opened, if it has no box yet."""
        last = self.all[-1] if self.all else None
        return (last.id,) if last is not None and last.box is None and last.sentence == self.sentence else ()

    def is_boxed_elsewhere(self, phrase: Phrase) -> bool:
        """Whether the one known thing of that name has a box, and not the one written here."""
        known = [one for one in self._by_head.get(phrase.head, ()) if not one.is_group and not _clash(one, phrase, 0)]
        return len(known) == 1 and known[0].box is not None and known[0].box not in phrase.boxes

    def named_after(self, group: Mentioned) -> list[int]:
        """Single things of the group's kind that were named later."""
        if not group.is_group:
            return []
        return [one.id for one in self._by_head.get(group.head, ()) if self._is_single(one) and one.id > group.id]

    @staticmethod
    def _is_single(one: Mentioned) -> bool:
        return not one.is_group and not one.is_folded

    def attend(self, ids: tuple[int, ...]) -> None:
        """Makes these the subject that later pronouns mean."""
        if not ids:
            return
        self.topic = ids
        head = self.all[ids[0] - 1].head
        if head in lx.PERSONS or head in lx.ANIMATE:
            self.person = ids
        if head not in lx.PERSONS:
            self.thing = ids

    def _names_nothing(self, phrase: Phrase) -> bool:
        """Whether the noun stands for a quality, a substance or a region of the image."""
        if phrase.head in lx.MATERIALS and phrase.determiner in ("", "some"):
            return True
        if phrase.head in lx.ABSTRACT or phrase.head in lx.COLOURS:
            return not self._is_known(phrase)
        return not phrase.head.isascii() or len(phrase.head) < 2

    def _is_known(self, phrase: Phrase) -> bool:
        """`the picture`, after a picture with a box has been named: that one, not the image itself."""
        return phrase.is_definite and any(one.box is not None for one in self._by_head.get(phrase.head, ()))

    def _by_pronoun(self, kind: str) -> tuple[int, ...]:
        if kind == "none":
            return ()
        if kind == "person":
            return self.person
        if kind == "group":
            return self.topic
        return self.thing or self.topic

    def _with_boxes(self, phrase: Phrase, owner: int, is_label: bool) -> tuple[int, ...]:
        known = tuple(self._by_box[box] for box in phrase.boxes if box in self._by_box)
        if known and len(known) == len(phrase.boxes) and all(self._may_be(entity, phrase) for entity in known):
            return known
        tag, head = phrase.text, phrase.head
        if head in ("one", "other") and (kind := self._last_kind()) is not None:
            tag, head = kind
        if len(phrase.boxes) > 1:
            tag = " ".join([*tag.split()[:-1], singular(tag.split()[-1])]) if tag else tag
            self._drop_pending(head)
            return tuple(self._open(tag, head, phrase=phrase, box=box, owner=owner).id for box in phrase.boxes)
        entity = self._waiting(phrase, owner, is_label)
        if entity is None:
            entity = self._open(tag, head, phrase=phrase, box=phrase.boxes[0], owner=owner)
        else:
            entity.box = phrase.boxes[0]
            entity.is_group = False
            entity.words.update(phrase.words)
            entity.ordinal = entity.ordinal or phrase.ordinal
            entity.owner = entity.owner or owner
            if not phrase.is_plural or len(phrase.text.split()) > len(entity.tag.split()):
                entity.tag = phrase.text
            self._by_box.setdefault(phrase.boxes[0], entity.id)
        return (entity.id,)

    def _may_be(self, entity_id: int, phrase: Phrase) -> bool:
        entity = self.all[entity_id - 1]
        return entity.head == phrase.head or phrase.is_definite or phrase.head in lx.COLOURS

    def _waiting(self, phrase: Phrase, owner: int, is_label: bool) -> Mentioned | None:
        """An entity of that kind that still waits for its box."""
        if phrase.determiner == "another" or (phrase.ordinal > 1 and phrase.determiner in ("a", "another")):
            return None
        waiting = [
            one for one in self._by_head.get(phrase.head, ()) if one.box is None and not _clash(one, phrase, owner)
        ]
        if not phrase.is_plural:
            waiting = [one for one in waiting if not one.is_group]
        if phrase.determiner in ("a", "an", "one", "some") and not is_label:
            waiting = [one for one in waiting if one.sentence < self.sentence]
        return max(waiting, key=lambda one: (_fit(one, phrase, owner), -one.id), default=None)

    def _without_box(self, phrase: Phrase, owner: int, is_label: bool, is_feature: bool) -> tuple[int, ...]:
        known = self._by_head.get(phrase.head, [])
        is_new = phrase.determiner == "another" or (phrase.determiner in ("a", "an", "one") and not is_label)
        is_new = is_new or (is_feature and phrase.is_bare)
        if is_new and phrase.determiner != "another":
            # A summary often opens with what the body then describes again: "shows a woman" ... "A woman stands".
            opened = [] if is_feature else [one for one in known if one.sentence <= SUMMARY_SENTENCES]
            known = [one for one in opened if one.sentence < self.sentence and one.box is None and not one.is_group]
        elif is_new:
            known = []
        known = [one for one in known if not _clash(one, phrase, owner)]
        if phrase.is_plural and not phrase.number:
            singles = [one for one in known if not one.is_group]
            groups = [one for one in known if one.is_group]
            if groups and (not singles or singles[-1].id < groups[-1].id):
                return (groups[-1].id,)
            if len(singles) > 1 and phrase.determiner in ("the", "these", "both", "all", "those"):
                return tuple(one.id for one in singles[:8])
        elif phrase.is_plural:
            known = [one for one in known if one.is_group]
        else:
            known = [one for one in known if not one.is_group]
        if known:
            best = max(
                known, key=lambda one: (_fit(one, phrase, owner), not one.is_group, one.id in self.topic, one.id)
            )
            return (best.id,)
        if (
            not phrase.is_plural
            and phrase.head in lx.GENERIC
            and phrase.determiner in ("the", "this", "that")
            and self.topic
            and not is_label
        ):
            return self.topic
        if self.is_closed:
            return ()
        return (self._open(phrase.text, phrase.head, phrase=phrase, owner=owner).id,)

    def _other_of_kind(self, phrase: Phrase) -> tuple[int, ...]:
        """`one`, `the other`, `another`: of the kind named last."""
        kind = self._last_kind()
        if kind is None:
            return ()
        if "other" in (phrase.head, *phrase.words):
            rest = [one for one in self._by_head.get(kind[1], ()) if not one.is_group and one.id not in self.topic]
            if rest:
                return (rest[-1].id,)
        return (self._open(*kind, phrase=phrase).id,)

    def _last_kind(self) -> tuple[str, str] | None:
        for entity in reversed(self.all):
            if entity.is_group or entity.box is not None:
                words = entity.tag.split()
                return " ".join([*words[:-1], singular(words[-1])]) if words else entity.tag, entity.head
        return None

    def _open(
        self, tag: str, head: str, *, phrase: Phrase | None = None, box: Box | None = None, owner: int = 0
    ) -> Mentioned:
        entity = Mentioned(len(self.all) + 1, tag or "object", head, box=box, owner=owner, sentence=self.sentence)
        if phrase is not None:
            entity.words.update(phrase.words)
            entity.ordinal = phrase.ordinal
            entity.is_group = box is None and phrase.is_plural
            entity.is_counted = phrase.determiner in ("a", "an", "one", "another")
        if len(self.all) >= MAX_ENTITIES:
            return self.all[-1]
        kin = self._by_head.setdefault(head, [])
        entity.rank = 0 if entity.is_group else 1 + sum(not one.is_group for one in kin)
        self.all.append(entity)
        kin.append(entity)
        if box is not None:
            self._by_box.setdefault(box, entity.id)
        return entity

    def _drop_pending(self, head: str) -> None:
        for entity in self._by_head.get(head, ()):
            if entity.box is None and not entity.is_group:
                entity.is_group = True

    def _note(self, ids: tuple[int, ...], phrase: Phrase) -> None:
        for entity_id in ids:
            self.all[entity_id - 1].times += 1
            if len(ids) == 1:
                self.all[entity_id - 1].words.update(phrase.words)


def _fit(entity: Mentioned, phrase: Phrase, owner: int) -> int:
    """How well a known entity suits a phrase."""
    score = 3 * (entity.tag == phrase.text) + 2 * len(entity.words & set(phrase.words))
    score += 4 * (owner != 0 and entity.owner == owner)
    if phrase.ordinal:
        score += 6 * (entity.ordinal == phrase.ordinal)
    elif phrase.determiner == "the" and entity.box is not None:
        score += 1
    return score


def _clash(entity: Mentioned, phrase: Phrase, owner: int) -> bool:
    """Whether a phrase cannot mean the entity: other owner, number or colour."""
    if owner and entity.owner and owner != entity.owner:
        return True
    if phrase.ordinal and not entity.is_group and phrase.ordinal != (entity.ordinal or entity.rank):
        return True
    if phrase.number > 1 and not entity.is_group:
        return True
    for opposites in lx.OPPOSITE_PLACES:
        mine, theirs = entity.words & opposites, set(phrase.words) & opposites
        if mine and theirs and not mine & theirs:
            return True
    mine = {lx.COLOURS[word].split()[-1] for word in entity.words if word in lx.COLOURS}
    theirs = {lx.COLOURS[word].split()[-1] for word in phrase.words if word in lx.COLOURS}
    return bool(mine and theirs and not mine & theirs)
