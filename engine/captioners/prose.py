"""The `prose` style: a scene, its entities one after another with what ties them together, closing remarks."""

from random import Random

from pancap.caption.content import CaptionContent
from pancap.engine.captioners.phrases import join_words
from pancap.engine.captioners.scenery import close_scene, open_scene
from pancap.engine.captioners.telling import Link, Telling

_PRESENTATIONS = ("there is", "there is", "the image also shows", "we can see")
_MAX_PHRASES = 3


def write_prose(content: CaptionContent, *, rng: Random) -> str:
    """Writes the caption.

    Args:
        content: what to say; everything of it is said.
        rng: chooses plan and words.
    """
    story = _Prose(content, rng=rng)
    opening = open_scene(content.globals, rng=rng)
    order = [entity.id for entity in story.ordered_entities()]
    if opening.text:
        story.say(opening.text)
    elif order:
        story.open_with(order[0], rng.choice(("the image shows", "the image depicts", "the picture shows")))
    else:
        story.say("the image shows a scene")
    opened = len(story.sentences)
    for entity_id in order:
        story.tell(entity_id)
    story.tell_links()
    closing = close_scene(opening.left, rng=rng)
    paragraphs = [story.sentences[:opened], story.sentences[opened:], closing]
    separator = "\n\n" if rng.random() < 0.3 else " "
    return separator.join(" ".join(sentences) for sentences in paragraphs if sentences)


class _Prose(Telling):
    """Tells a content entity by entity."""

    def __init__(self, content: CaptionContent, *, rng: Random) -> None:
        super().__init__(content, rng=rng)
        self._definite = rng.random() < 0.5
        self._links_at_once = rng.random() < 0.5
        self._progressive = rng.random() < 0.5
        self._opened_with: int | None = None

    def open_with(self, entity_id: int, opening: str) -> None:
        """Begins the caption with an entity."""
        self.say(f"{opening} {self.present(entity_id)}")
        self._opened_with = entity_id

    def tell(self, entity_id: int) -> None:
        """Introduces an entity unless known, then says what is left of it, its parts and its ties."""
        alone = self.sentences[-1].count("[[") == 1 and self._opened_with == entity_id
        if not self.is_introduced(entity_id):
            alone = self._introduce(entity_id)
        self._tell_attributes(entity_id, alone=alone)
        self._tell_parts(entity_id)
        if self._links_at_once:
            self._tell_known_links(entity_id)

    def tell_links(self) -> None:
        """Says every relation that is left."""
        while self.links:
            subject = self.links[0].subject_id
            links = [link for link in self.links if link.subject_id == subject]
            self._say_links(subject, links)

    def _introduce(self, entity_id: int) -> bool:
        """Returns whether the sentence named nothing else, so that a pronoun may follow."""
        ready = [link for link in self.ready_links(entity_id) if link.predicate.is_position]
        attributes = self.attributes(entity_id)
        draw = self.rng.random()
        if ready and draw < 0.35 and not self.names.is_plural(entity_id):
            link = self.take_link(self.rng.choice(ready))
            place = f"{link.predicate.rest} {self.mention(link.object_id)}"
            self.say(f"{place} is {self._present_or_mention(entity_id)}")
            return False
        if not self.names.prefers_the(entity_id) and (draw < 0.7 or not attributes):
            self._present(entity_id, ready)
            return not self.sentences[-1].count("[[") > 1
        if attributes or self.ready_links(entity_id) or self._opening_links(entity_id):
            return self._describe(entity_id)
        verb = "are" if self.names.is_plural(entity_id) else "is"
        self.say(f"{self.mention(entity_id)} {verb} visible")
        return True

    def _present_or_mention(self, entity_id: int) -> str:
        return self.mention(entity_id) if self.names.prefers_the(entity_id) else self.present(entity_id)

    def _present(self, entity_id: int, ready: list[Link]) -> None:
        opening = self.rng.choice(_PRESENTATIONS)
        if self.names.is_plural(entity_id):
            opening = opening.replace("there is", "there are")
        text = f"{opening} {self.present(entity_id)}"
        if ready and self.rng.random() < 0.6:
            link = self.take_link(self.rng.choice(ready))
            text = f"{text} {link.predicate.rest} {self.mention(link.object_id)}"
        self.say(text)

    def _describe(self, entity_id: int) -> bool:
        """The entity as the subject of a sentence: `The red car [[...]] is large and holds ...`."""
        links = self.ready_links(entity_id) or self._opening_links(entity_id)
        num_predicates = len(self.attributes(entity_id)) - (0 if links else 1)
        subject = self.mention(
            entity_id, num_adjectives=min(2, max(0, num_predicates)), definite=self._definite or self.rng.random() < 0.3
        )
        phrases = self.verb_phrases(self.take_attributes(entity_id), plural=self.names.is_plural(entity_id))
        if links and len(phrases) < _MAX_PHRASES:
            phrases.append(self._say_link(links[0]))
        self.say_of(subject, phrases[:_MAX_PHRASES])
        if phrases[_MAX_PHRASES:]:
            self.say_of(self.names.later(entity_id), phrases[_MAX_PHRASES:])
        return not links

    def _opening_links(self, entity_id: int) -> list[Link]:
        """Relations that may bring in their object, such as `holds`; a position waits for its object."""
        return [
            link
            for link in self.links
            if link.subject_id == entity_id
            and not link.predicate.is_position
            and not link.predicate.is_part_of
            and link.object_id != entity_id
        ]

    def _tell_attributes(self, entity_id: int, *, alone: bool) -> None:
        predicates = self.take_attributes(entity_id)
        if not predicates:
            return
        phrases = self.verb_phrases(predicates, plural=self.names.is_plural(entity_id))
        wants_pronoun = alone and (self.names.is_ordinal(entity_id) or self.rng.random() < 0.6)
        pronoun = self.pronoun(entity_id) if wants_pronoun else None
        for start in range(0, len(phrases), _MAX_PHRASES):
            self.say_of(pronoun or self.names.later(entity_id), phrases[start : start + _MAX_PHRASES])

    def _tell_parts(self, entity_id: int) -> None:
        """`The house has a brown door [[...]] and a window [[...]].`"""
        links = [
            link
            for link in self.links
            if link.object_id == entity_id and link.predicate.is_part_of and not self.is_introduced(link.subject_id)
        ]
        links = list({link.subject_id: link for link in links}.values())
        if not links or self.rng.random() < 0.25:
            return
        for link in links:
            self.take_link(link)
        verb = "have" if self.names.is_plural(entity_id) else "has"
        parts = [self.present(link.subject_id) for link in links]
        self.say(f"{self.names.later(entity_id)} {verb} {join_words(parts)}")

    def _tell_known_links(self, entity_id: int) -> None:
        """Relations that became sayable with this entity."""
        own = [*self.ready_links(entity_id), *self._opening_links(entity_id)]
        self._say_links(entity_id, list(dict.fromkeys(own)))
        for subject in sorted({link.subject_id for link in self.links if link.object_id == entity_id}):
            if self.is_introduced(subject):
                self._say_links(subject, [link for link in self.ready_links(subject) if link.object_id == entity_id])

    def _say_links(self, subject_id: int, links: list[Link]) -> None:
        """Says relations of one subject, two in a sentence at most."""
        links = list(links)
        while links:
            link = links.pop(0)
            same = [other for other in links if other.predicate == link.predicate][:1]
            subject = self.mention(subject_id)
            if same and link.predicate.is_position and self.rng.random() < 0.5:
                links.remove(same[0])
                phrases = [self.link_phrase([self.take_link(link), self.take_link(same[0])])]
            else:
                phrases = [self._say_link(link)]
                if links and self.rng.random() < 0.5:
                    phrases.append(self._say_link(links.pop(0)))
            self.say_of(subject, phrases)

    def _say_link(self, link: Link) -> str:
        return self.link_phrase([self.take_link(link)], progressive=self._progressive)
