"""SA-Pancap's caption files as something to train on: `[{"image_path": ..., "gt_response": ...}, ...]`.

A caption's boxes are its instances, each with the words before it as its tag.
"""

from dataclasses import dataclass

from pancap.caption.formats import sapancap
from pancap.chain.boxtokens import Instance
from pancap.chain.captioner import read_entities
from pancap.chain.data.named_images import LeftOutError, NamedImage
from pancap.chain.tuples import TrainingImage

KEYS = ("image_path", "gt_response")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedImage:
    """An image's name and its caption, in SA-Pancap form."""

    name: str
    caption: str

    def to_image(self, file: NamedImage) -> TrainingImage:
        """As `Described` says; boxes get three decimals everywhere, malformed ones are cut out."""
        caption = sapancap.render(sapancap.parse(self.caption).segments).strip()
        instances = tuple(Instance(tag=tag, box=box) for tag, box in read_entities(caption))
        if not instances:
            raise LeftOutError("no box in its caption")
        return TrainingImage(
            image_id=file.image_id,
            path=file.path,
            width=file.width,
            height=file.height,
            instances=instances,
            caption=caption,
        )
