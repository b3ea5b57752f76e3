"""The images of each step: drawn in an order that depends on the seed alone, shared out, packed."""

from collections.abc import Iterator, Sequence
from operator import attrgetter

import numpy as np

from pancap.chain.model import Checkpoint
from pancap.chain.stages import STAGES_OF_MODE
from pancap.chain.tokenizer import TokenIds
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.encoding import (
    EncodedImage,
    Encoder,
    TreeBatch,
    collate,
    count,
    image_order,
    keep_stages,
)
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

MAX_DROPS_IN_A_ROW = 1000


def plan(
    images: Sequence[EncodedImage], *, rank: int, world_size: int, images_per_pass: int | None = None
) -> list[list[EncodedImage]]:
    """One worker's share of a step's images, by pass: workers' shares are alike in length, and so are passes' images.

    Args:
        images: of the step, the same for every worker.
        rank: whose share.
        world_size: among how many.
        images_per_pass: most of them in a pass; None: all in one.
    """
    mine = sorted(images, key=attrgetter("num_tokens"), reverse=True)[rank::world_size]
    size = images_per_pass or len(mine)
    return [mine[start : start + size] for start in range(0, len(mine), size)]


class BatchSource:
    """Draws the images of each step, the same for every worker, and packs this worker's share."""

    def __init__(
        self,
        *,
        images: Sequence[TrainingImage],
        pixels: np.ndarray,
        refused: frozenset[int],
        checkpoint: Checkpoint,
        named: TokenIds,
        config: TrainConfig,
        drawn: int,
    ) -> None:
        """Moves on to where an earlier attempt stopped (`drawn` images)."""
        self.drawn = drawn
        self.dropped = 0
        self._images, self._pixels, self._refused = images, pixels, refused
        self._named, self._prefix_ids = named, checkpoint.prefix_ids
        self._config = config
        self._encoder = Encoder(
            tokenizer=checkpoint.tokenizer,
            coordinates=checkpoint.meta.coordinates,
            mode=config.mode,
            order=config.order,
            max_tokens=config.max_tokens,
            layout=checkpoint.meta.layout,
            grid=int(checkpoint.image_px // checkpoint.model.config.vision_config.patch_size)
            if config.loss.patches
            else None,
            box_noise=config.box_noise,
            caption_noise=config.caption_noise,
        )
        self._order: Iterator[tuple[int, int]] = image_order(len(images), seed=config.seed)
        for _ in range(drawn):
            next(self._order)

    def next(self, *, rank: int, world_size: int, progress: float) -> list[TreeBatch]:
        """This worker's share of the next step's images, cut in passes; the shares are alike in length.

        Raises:
            UsageError: no image of the dataset fits.
        """
        drawn: list[EncodedImage] = []
        drops_in_a_row = 0
        while len(drawn) < self._config.batch_size:
            encoded = self._draw()
            drops_in_a_row = drops_in_a_row + 1 if encoded is None else 0
            if drops_in_a_row > min(MAX_DROPS_IN_A_ROW, len(self._images)):
                raise UsageError(
                    f"no image of {self._config.data} is readable and within max_tokens={self._config.max_tokens}; "
                    "raise max_tokens"
                )
            if encoded is not None:
                drawn.append(encoded)
        if self._config.stages == "sequential":
            names = STAGES_OF_MODE[self._config.mode]
            active = names[min(int(progress * len(names)), len(names) - 1)]
            drawn = [keep_stages(image, stages=[active]) for image in drawn]
        passes = plan(drawn, rank=rank, world_size=world_size, images_per_pass=self._config.images_per_pass)
        counts = count(drawn, num_batches=world_size * len(passes))
        return [
            collate(images, pixels=self._pixels, named=self._named, prefix_ids=self._prefix_ids, counts=counts)
            for images in passes
        ]

    def _draw(self) -> EncodedImage | None:
        epoch, index = next(self._order)
        self.drawn += 1
        encoded = None
        if index not in self._refused:
            encoded = self._encoder.encode(self._images[index], index=index, seed=self._config.seed + epoch)
        self.dropped += encoded is None
        return encoded
