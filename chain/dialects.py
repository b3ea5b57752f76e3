"""How a model behind a generator is spoken to: which picture it is sent, which prompt, and how it writes boxes."""

import json
from dataclasses import dataclass
from math import sqrt
from typing import Any, Protocol

import numpy as np

from pancap.chain.boxtokens import BoxCodec
from pancap.chain.config import Coordinates, PromptingConfig, PromptSet
from pancap.chain.images import Resample, to_square
from pancap.chain.plain_boxes import Frame, PlainCodec
from pancap.chain.prompts import zero_shot_prompt
from pancap.chain.stages import ChainState, StageName, prompt_of


class Dialect(Protocol):
    """What one model was raised on; `codec` is of the class that its own `prompt` and `rules` take."""

    @property
    def coordinates(self) -> Coordinates:
        """How boxes are spelled: our tokens, or digits of whatever frame."""
        ...

    @property
    def system(self) -> str:
        """System message; empty for none."""
        ...

    @property
    def has_rules(self) -> bool:
        """The engine is to know `chain.backends.vllm_boxes`."""
        ...

    def codec(self, image: np.ndarray) -> Any:
        """How boxes are spelled for an (H, W, 3) image."""
        ...

    def picture(self, image: np.ndarray) -> np.ndarray:
        """The (H, W, 3) uint8 picture that is sent."""
        ...

    def prompt(self, stage: StageName, state: ChainState, *, codec: Any) -> str:
        """A stage's prompt."""
        ...

    def rules(self, codec: Any) -> str:
        """What `chain.backends.vllm_boxes` holds answers to; empty where it does not."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainedDialect:
    """That of a model which was trained on the chain: its prompts, and images padded to a square.

    Args:
        coordinates: how it spells boxes.
        image_px: side of the square that is sent; None leaves the resizing to the model's own processor.
        resample: how images are resized here.
        has_rules: the engine knows `chain.backends.vllm_boxes`.
    """

    coordinates: Coordinates
    image_px: int | None = None
    resample: Resample = "bilinear"
    has_rules: bool = False
    system: str = ""

    def codec(self, image: np.ndarray) -> BoxCodec:
        """See `Dialect`."""
        return BoxCodec(coordinates=self.coordinates, width=image.shape[1], height=image.shape[0])

    def picture(self, image: np.ndarray) -> np.ndarray:
        """See `Dialect`."""
        return to_square(image, image_px=self.image_px or max(image.shape[:2]), resample=self.resample)

    def prompt(self, stage: StageName, state: ChainState, *, codec: BoxCodec) -> str:
        """See `Dialect`."""
        return prompt_of(stage, state, codec=codec)

    def rules(self, codec: BoxCodec) -> str:
        """The corners inside the image."""
        return json.dumps(codec.limits()) if self.has_rules else ""


@dataclass(frozen=True, kw_only=True)
class ZeroShotDialect:
    """That of a model which never saw the chain.

    Args:
        prompts: which set.
        frame: of the boxes it writes.
        max_pixels, multiple_px: of the picture that it is sent, see `PromptingConfig`.
        system: system message.
    """

    prompts: PromptSet
    frame: Frame
    max_pixels: int
    multiple_px: int = 1
    system: str = ""
    coordinates: Coordinates = "text"
    has_rules: bool = False

    def codec(self, image: np.ndarray) -> PlainCodec:
        """See `Dialect`."""
        width, height = picture_size(image, max_pixels=self.max_pixels, multiple_px=self.multiple_px)
        return PlainCodec(frame=self.frame, width=width, height=height)

    def picture(self, image: np.ndarray) -> np.ndarray:
        """See `Dialect`."""
        from PIL import Image

        size = picture_size(image, max_pixels=self.max_pixels, multiple_px=self.multiple_px)
        if size == (image.shape[1], image.shape[0]):
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))

    def prompt(self, stage: StageName, state: ChainState, *, codec: PlainCodec) -> str:
        """See `Dialect`."""
        return zero_shot_prompt(self.prompts, stage, state, codec=codec)

    def rules(self, codec: PlainCodec) -> str:
        """None: a free text may hold brackets that are no box."""
        return ""


def picture_size(image: np.ndarray, *, max_pixels: int, multiple_px: int) -> tuple[int, int]:
    """Width and height for sending: the same shape, sides rounded to a multiple, at most `max_pixels`.

    Example:
        >>> picture_size(np.zeros((600, 1000, 3), np.uint8), max_pixels=200_000, multiple_px=28)
        (588, 336)
    """
    height, width = image.shape[:2]
    scale = min(1.0, sqrt(max_pixels / (width * height)))
    sides = [max(multiple_px, round(side * scale / multiple_px) * multiple_px) for side in (width, height)]
    if sides[0] * sides[1] > max_pixels:
        sides = [max(multiple_px, int(side * scale / multiple_px) * multiple_px) for side in (width, height)]
    return sides[0], sides[1]


def dialect_of(config: PromptingConfig, *, has_rules: bool) -> Dialect:
    """The dialect that settings name."""
    if config.boxes == "text" or config.boxes == "tokens":
        return TrainedDialect(coordinates=config.boxes, system=config.system, has_rules=has_rules)
    assert config.prompts != "trained"  # refused by the configuration
    return ZeroShotDialect(
        prompts=config.prompts,
        frame=config.boxes,
        max_pixels=config.max_pixels,
        multiple_px=config.multiple_px,
        system=config.system,
    )
