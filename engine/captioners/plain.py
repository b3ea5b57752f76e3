"""The `plain` style: entity by entity in short declarative sentences."""

from random import Random

from pancap.caption.content import CaptionContent
from pancap.engine.captioners.phrases import as_sentence
from pancap.engine.captioners.telling import Telling


def write_plain(content: CaptionContent, *, rng: Random) -> str:
    """Writes the caption.

    Args:
        content: what to say; everything of it is said.
        rng: chooses order and words.
    """
    listing = _Listing(content, rng=rng)
    for entity in listing.ordered_entities():
        listing.tell(entity.id)
    listing.tell_links()
    remarks = [as_sentence(item) for item in content.globals if item.strip()]
    groups = [remarks, listing.sentences] if rng.random() < 0.5 else [listing.sentences, remarks]
    return " ".join(" ".join(sentences) for sentences in groups if sentences) or "The image shows a scene."


class _Listing(Telling):
    """Says one thing a sentence."""

    def tell(self, entity_id: int) -> None:
        """`There is a car [[...]]. It is large and red.`"""
        plural = self.names.is_plural(entity_id)
        named_by_subject = self.names.prefers_the(entity_id) or self.rng.random() < 0.3
        if named_by_subject:
            subject = self.mention(entity_id, num_adjectives=0, definite=True)
        else:
            self.say(f"there {'are' if plural else 'is'} {self.present(entity_id, num_adjectives=0)}")
            subject = self.pronoun(entity_id) or self.names.later(entity_id)
        phrases = self.verb_phrases(self.take_attributes(entity_id), plural=plural)
        if named_by_subject and not phrases:
            phrases = [f"{'are' if plural else 'is'} in the image"]
        for phrase in phrases:
            self.say_of(subject, [phrase])
            subject = self.pronoun(entity_id) or self.names.later(entity_id)

    def tell_links(self) -> None:
        """`The door is part of the house. The car is to the left of the house.`"""
        for link in list(self.links):
            self.say_of(self.mention(link.subject_id), [self.link_phrase([self.take_link(link)])])
