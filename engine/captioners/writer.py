"""English panoptic captions from content: everything stated, varied by seed, nothing invented."""

from random import Random
from typing import Literal

from pancap.caption.content import CaptionContent
from pancap.engine.captioners.plain import write_plain
from pancap.engine.captioners.prose import write_prose

Style = Literal["prose", "plain"]


def write_caption(content: CaptionContent, *, seed: int, style: Style = "prose") -> str:
    """Writes a caption that states every entity, attribute, relation and global item of the content.

    Args:
        content: what to say.
        seed: chooses plan, order and words; the same seed gives the same text.
        style: `prose` reads like SA-Pancap; `plain` lists entity by entity in short sentences.

    Example:
        >>> from pancap.caption.boxes import Box
        >>> from pancap.caption.content import Attribute, CaptionContent, Entity
        >>> car = Entity(id=1, tag="car", box=Box(0.1, 0.2, 0.3, 0.4))
        >>> content = CaptionContent(entities=(car,), attributes=(Attribute(entity_id=1, text="is red"),))
        >>> write_caption(content, seed=0)
        'The picture shows a red car [[0.100, 0.200, 0.300, 0.400]].'
    """
    rng = Random(seed)
    return write_prose(content, rng=rng) if style == "prose" else write_plain(content, rng=rng)
