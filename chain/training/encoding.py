"""Training tuples as token ids, and batches of them as packed trees: no padding, each image token counted once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from pancap.chain.config import ChainMode, Coordinates
from pancap.chain.layouts import LayoutName
from pancap.chain.stages import StageName
from pancap.chain.tokenizer import TokenIds, encode_answer, encode_prompt
from pancap.chain.training.probe import PatchAnswers, sample_patches
from pancap.chain.training.tree import Tree, TreeLayout
from pancap.chain.tuples import EntityOrder, TrainingImage, make_examples

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

STAGE_NAMES: tuple[StageName, ...] = ("loc", "tag", "disc", "cap", "one_stage", "inst")


@dataclass(frozen=True, slots=True)
class Branch:
    """One stage of an image: the ids of prompt and answer, and where the answer begins."""

    stage: StageName
    ids: tuple[int, ...]
    answer_start: int


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """All branches of an image; `index` is its row in the pixel map."""

    index: int
    branches: tuple[Branch, ...]
    patches: PatchAnswers | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens of all branches, without the shared prefix."""
        return sum(len(branch.ids) for branch in self.branches)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the means of a loss are over: supervised tokens of each of STAGE_NAMES, and sampled patches."""

    tokens: tuple[float, ...]
    patches: float


def count(images: Sequence[EncodedImage], *, num_batches: int = 1) -> Counts:
    """Counts of a step's images, for one of the batches that it is cut in.

    The mean of the batches' losses is then the loss of the step in one piece, however it was cut and whoever has
    which batch (R33).
    """
    tokens = dict.fromkeys(STAGE_NAMES, 0)
    for branch in (branch for image in images for branch in image.branches):
        tokens[branch.stage] += len(branch.ids) - branch.answer_start
    patches = sum(len(image.patches.patches) for image in images if image.patches)
    return Counts(tuple(num / num_batches for num in tokens.values()), patches / num_batches)


@dataclass(frozen=True, slots=True)
class TreeBatch:
    """Images packed one after another: prefix, branches, prefix, branches, ...

    Legend: N images, T tokens in all, M supervised tokens, Q sampled patches, G stages.

    Args:
        pixels: (N, 3, S, S) float32.
        ids_T: token ids, the image token at the places of patches.
        positions_T: positions; every branch starts where the prefix ends.
        layout: where the pieces lie.
        rows_M: the token that predicts each supervised one.
        targets_M: the supervised ids.
        stages_M: index into STAGE_NAMES of each.
        patch_rows_Q, patch_units_Q4, patch_words_Q: sampled patches, their entities' boxes and first tag tokens.
        tokens_G: supervised tokens that a stage's mean is over.
        num_patches: sampled patches that theirs is over.
    """

    pixels: "torch.Tensor"
    ids_T: "torch.Tensor"
    positions_T: "torch.Tensor"
    layout: TreeLayout
    rows_M: "torch.Tensor"
    targets_M: "torch.Tensor"
    stages_M: "torch.Tensor"
    patch_rows_Q: "torch.Tensor"
    patch_units_Q4: "torch.Tensor"
    patch_words_Q: "torch.Tensor"
    tokens_G: "torch.Tensor"
    num_patches: float

    def to(self, device: "torch.device") -> "TreeBatch":
        """The same batch on a device."""
        if self.ids_T.device == device:
            return self
        tensors = [field.name for field in fields(self) if field.name not in ("layout", "num_patches")]
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in tensors})


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Turns rows of the dataset into branches of token ids; samples patches too where `grid` (per side) is given."""

    tokenizer: "PreTrainedTokenizerFast"
    coordinates: Coordinates
    mode: ChainMode
    order: EntityOrder
    max_tokens: int
    layout: LayoutName = "plain"
    grid: int | None = None
    box_noise: float = 0.0
    caption_noise: float = 0.0

    def encode(self, image: TrainingImage, *, index: int, seed: int) -> EncodedImage | None:
        """All branches of an image; None if one is longer than max_tokens (an image is never cut: R14)."""
        examples = make_examples(
            image,
            coordinates=self.coordinates,
            mode=self.mode,
            order=self.order,
            seed=seed,
            box_noise=self.box_noise,
            caption_noise=self.caption_noise,
        )
        branches = []
        for example in examples:
            prompt = encode_prompt(self.tokenizer, example.prompt, layout=self.layout)
            ids = (*prompt, *encode_answer(self.tokenizer, example.answer, layout=self.layout))
            if len(ids) > self.max_tokens:
                return None
            branches.append(Branch(stage=example.stage, ids=ids, answer_start=len(prompt)))
        if self.grid is None or self.coordinates == "text":
            return EncodedImage(index=index, branches=tuple(branches))
        patches = sample_patches(image, tokenizer=self.tokenizer, grid=self.grid, seed=seed)
        return EncodedImage(index=index, branches=tuple(branches), patches=patches)


def keep_stages(image: EncodedImage, *, stages: Sequence[StageName]) -> EncodedImage:
    """The same image with only some of its branches."""
    return replace(image, branches=tuple(branch for branch in image.branches if branch.stage in stages))


def collate(
    images: Sequence[EncodedImage],
    *,
    pixels: np.ndarray,
    named: TokenIds,
    prefix_ids: Sequence[int],
    counts: Counts | None = None,
) -> TreeBatch:
    """Packs images into one batch.

    Args:
        images: at least one.
        pixels: the map, (rows, S, S, 3) uint8.
        named: ids of the special tokens.
        prefix_ids: what every image begins with.
        counts: what means are over; None: these images.
    """
    import torch

    from pancap.chain.images import normalize

    ids: list[int] = []
    positions: list[int] = []
    rows: list[int] = []
    targets: list[int] = []
    stages: list[int] = []
    patch_rows: list[int] = []
    num_prefix = len(prefix_ids)
    first_patch = prefix_ids.index(named.image)
    answered = [image.patches for image in images if image.patches is not None]
    for image in images:
        if image.patches is not None:
            patch_rows += [len(ids) + first_patch + patch for patch in image.patches.patches]
        ids += prefix_ids
        positions += range(num_prefix)
        for branch in image.branches:
            start = len(ids)
            ids += branch.ids
            positions += range(num_prefix, num_prefix + len(branch.ids))
            rows += range(start + branch.answer_start - 1, start + len(branch.ids) - 1)
            targets += branch.ids[branch.answer_start :]
            stages += [STAGE_NAMES.index(branch.stage)] * (len(branch.ids) - branch.answer_start)
    trees = tuple(Tree(num_prefix, tuple(len(branch.ids) for branch in image.branches)) for image in images)
    squares = np.stack([pixels[image.index] for image in images])
    counts = counts or count(images)
    return TreeBatch(
        pixels=normalize(squares),
        ids_T=torch.tensor(ids),
        positions_T=torch.tensor(positions),
        layout=TreeLayout(trees),
        rows_M=torch.tensor(rows),
        targets_M=torch.tensor(targets),
        stages_M=torch.tensor(stages),
        patch_rows_Q=torch.tensor(patch_rows, dtype=torch.long),
        patch_units_Q4=torch.tensor([box for item in answered for box in item.units], dtype=torch.long).view(-1, 4),
        patch_words_Q=torch.tensor([word for item in answered for word in item.words], dtype=torch.long),
        tokens_G=torch.tensor(counts.tokens),
        num_patches=counts.patches,
    )


def image_order(num_images: int, *, seed: int) -> Iterator[tuple[int, int]]:
    """(epoch, image) for ever, every epoch in an order of its own; the same for every mode and worker count."""
    epoch = 0
    while True:
        order = list(range(num_images))
        Random(f"{seed}/{epoch}").shuffle(order)
        yield from ((epoch, index) for index in order)
        epoch += 1
