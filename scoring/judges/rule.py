"""A judge with no model: it reads English captions by rule, the same way every time."""

from collections.abc import Mapping

from pancap.caption.content import CaptionContent
from pancap.scoring.judges.base import Support
from pancap.scoring.judges.reading.assembly import assemble
from pancap.scoring.judges.reading.clauses import ClauseReader
from pancap.scoring.judges.reading.global_states import as_clauses, find_global_states
from pancap.scoring.judges.reading.meaning import attribute_answers, global_answers, relation_answers
from pancap.scoring.judges.reading.mentions import Mentions
from pancap.scoring.judges.reading.tokens import read_sentences


class RuleJudge:
    """Reads free English with `[[x1, y1, x2, y2]]` boxes well enough to be useful; labelled as such in every result.

    Example:
        >>> content = RuleJudge().extract("A red car [[0.1, 0.5, 0.4, 0.9]] is to the left of a tree.")
        >>> [entity.tag for entity in content.entities], content.attributes[0].text, content.relations[0].text
        (['car', 'tree'], 'is red', 'is to the left of')
    """

    name = "rule"
    version = "2"

    def extract(self, caption: str) -> CaptionContent:
        """Everything the caption states; any text gives a content, if an empty one."""
        sentences = read_sentences(caption)
        mentions = Mentions()
        reader = ClauseReader(mentions)
        for sentence in sentences:
            reader.read(sentence)
        return assemble(mentions, reader.facts, as_clauses(find_global_states(sentences)))

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
