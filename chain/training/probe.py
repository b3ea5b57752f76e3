"""What the language model is asked at the image tokens themselves, halfway through: what does this patch show?

Answers give a model eight boxes an image to learn from, patches give it dozens. Each sampled patch must name, through
linear maps that are thrown away, the four coordinates of its entity and the first token of its tag, scored against the
model's own embeddings: what the later layers have to say then lies ready where their attention finds it.

Legend: Q sampled patches, H width, V vocabulary, K = 1001 coordinate values.
"""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from pancap.caption.boxes import LETTERBOX_UNITS
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.tokenizer import encode
from pancap.chain.training.patches import OTHER_TAG, PatchClasses, patch_targets
from pancap.chain.tuples import TrainingImage

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

NUM_SAMPLED = 48
NUM_QUESTIONS = 5  # x1, y1, x2, y2, and the tag's first token


@dataclass(frozen=True, slots=True)
class PatchAnswers:
    """Right answers of an image's sampled patches.

    Args:
        patches: indices of the patches, row by row.
        units: their entities' boxes in 1/1000 of the padded square.
        words: first token of their entities' tags.
    """

    patches: tuple[int, ...]
    units: tuple[tuple[int, int, int, int], ...]
    words: tuple[int, ...]


def sample_patches(image: TrainingImage, *, tokenizer: "PreTrainedTokenizerFast", grid: int, seed: int) -> PatchAnswers:
    """Draws patches that lie in some box, and says what they show.

    Args:
        image: the row of the dataset.
        tokenizer: the chain's.
        grid: patches along one side.
        seed: with the image id it decides which patches.
    """
    tags = tuple(dict.fromkeys(item.tag for item in image.instances))
    targets = patch_targets(image, classes=PatchClasses(tags=(*tags, OTHER_TAG), attributes=(), globals=()), grid=grid)
    shown = [int(index) for index in np.flatnonzero(targets.tags_P >= 0)]
    chosen = Random(f"{seed}/{image.image_id}").sample(shown, min(NUM_SAMPLED, len(shown)))
    codec = BoxCodec(coordinates="tokens", width=image.width, height=image.height)
    units = [codec.to_units(item.box) for item in image.instances]
    by_corners = {tuple((np.array(box) / LETTERBOX_UNITS).astype(np.float32).tolist()): box for box in units}
    first_tokens = [encode(tokenizer, tag)[0] for tag in tags]
    return PatchAnswers(
        patches=tuple(chosen),
        units=tuple(by_corners[tuple(targets.boxes_P4[patch].tolist())] for patch in chosen),
        words=tuple(first_tokens[targets.tags_P[patch]] for patch in chosen),
    )


def build_probe(width: int) -> "torch.nn.Module":
    """The throw-away part: a norm and one linear map per question."""
    import torch

    return torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Linear(width, NUM_QUESTIONS * width))


def probe_loss(
    probe: "torch.nn.Module",
    hidden_QH: "torch.Tensor",
    *,
    units_Q4: "torch.Tensor",
    words_Q: "torch.Tensor",
    embeddings_VH: "torch.Tensor",
    coordinates: range,
    sigma: float,
) -> "torch.Tensor":
    """Mean cross-entropy of the coordinates (towards a bell around the true one) plus that of the words."""
    import torch

    from pancap.custom_kernels.box_loss import box_loss

    asked_QAH = probe(hidden_QH).view(len(hidden_QH), NUM_QUESTIONS, -1)
    word_nll = torch.nn.functional.cross_entropy(asked_QAH[:, 4] @ embeddings_VH.T, words_Q)
    coordinates_KH = embeddings_VH[coordinates.start : coordinates.stop]
    boxes = box_loss(asked_QAH[:, :4], coordinates_KH, units_Q4, sigma=sigma, ce_weight=1 / 4, giou_weight=0.0)
    return boxes.total + word_nll
