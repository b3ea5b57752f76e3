"""Pretraining of the language model without images: what text is to a large one, at the size of two CPU cores.

A large language model can write down again what stands in its prompt before it sees its first image. A small one that
is trained on images alone never learns to: it guesses boxes and tags from the image, so well that reading the prompt
would hardly lower the loss, and its later stages ignore the earlier ones (`pancap bench stages` shows that). Here there
is no image: lists of boxes and instances drawn from many images are to be written again, and captions to be written
from the list of their instances, so that there is nothing but the prompt to know them from.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.config import Coordinates
from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import Checkpoint, save_checkpoint
from pancap.chain.stages import build_answer, build_prompt
from pancap.chain.tokenizer import encode_answer, encode_prompt, token_ids
from pancap.chain.training.config import LanguageTrainConfig
from pancap.chain.training.pixels import Progress
from pancap.chain.training.pretraining import Metrics, pretrain
from pancap.chain.training.start import starting_checkpoint
from pancap.chain.tuples import TrainingImage, order_instances

if TYPE_CHECKING:
    import torch

# B texts of a batch, L tokens of the longest, M tokens that are to be written, H width.
IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class LanguageSummary:
    """What a run did.

    Args:
        checkpoint: folder of the model.
        steps, texts, seconds: amount of work, of all attempts together.
        resumed_from: step that this attempt went on from; 0 for a new run.
        coordinates, words: share of the last texts' coordinates and of their other tokens that were right.
    """

    checkpoint: str
    steps: int
    resumed_from: int
    texts: int
    seconds: float
    coordinates: float
    words: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A few lines for a terminal."""
        return (
            f"checkpoint {self.checkpoint}\n{self.steps} steps, {self.texts} texts in {self.seconds:.0f} s\n"
            f"right: {100 * self.coordinates:.1f} % of coordinates, {100 * self.words:.1f} % of other tokens"
        )


def train_language(
    config: LanguageTrainConfig,
    *,
    config_text: str = "",
    on_progress: Progress | None = None,
    on_metrics: Metrics | None = None,
) -> LanguageSummary:
    """Trains a checkpoint's language model in this process; config.out/checkpoint is the result.

    Args:
        config: the run.
        config_text: unresolved YAML, kept in config.out.
        on_progress: called with (what, done, total).
        on_metrics: called with (step, figures).

    Raises:
        UsageError: no such dataset, checkpoint or tower, or a run to resume was started with other settings.
    """
    import torch

    torch.set_num_threads(config.num_threads)
    images = read_training_images(config.data, limit=config.limit)
    checkpoint = starting_checkpoint(
        images, init=config.init, vision=config.vision, model=config.model, mode="chain", seed=config.seed
    )
    batches = _batches(images, checkpoint=checkpoint, config=config)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    if config_text:
        (out / "config.yaml").write_text(config_text)
    model = checkpoint.model.train()
    weights = model.model.language_model.parameters()
    done = pretrain(
        model,
        torch.optim.AdamW(weights, lr=config.lr, weight_decay=0.0, betas=(0.9, 0.98), fused=True),
        batches=batches,
        loss=lambda batch: _loss(checkpoint, *batch),
        config=config,
        what="texts",
        on_progress=on_progress,
        on_metrics=on_metrics,
    )
    started_from = config.init or config.vision or "random weights"
    facts = {"data": config.data, "steps": done.steps, "seed": config.seed, "started_from": started_from}
    save_checkpoint(
        checkpoint.model.eval(),
        tokenizer=checkpoint.tokenizer,
        directory=out / "checkpoint",
        meta=replace(checkpoint.meta, provenance={"language": facts}),
    )
    return LanguageSummary(
        checkpoint=str(out / "checkpoint"),
        steps=done.steps,
        resumed_from=done.resumed_from,
        texts=sum(_num_texts(step, config=config, num_images=len(images)) for step in range(done.steps)),
        seconds=done.seconds,
        coordinates=done.figures["coordinates"],
        words=done.figures["words"],
    )


def make_list(instances: Sequence[Instance], *, codec: BoxCodec, rng: Random) -> tuple[str, str]:
    """A prompt with a list and the answer that writes it down again.

    Half of them name the boxes in their order, as the tag stage does; half list the instances in another order, as a
    caption mentions them.
    """
    listed = order_instances(instances, order="left_to_right")
    if rng.random() < 0.5:
        prompt = build_prompt("tag", codec=codec, boxes=[item.box for item in listed])
        return prompt, build_answer("tag", codec=codec, instances=listed)
    mentioned = rng.sample(listed, len(listed))
    return build_prompt("cap", codec=codec, instances=listed), build_answer("tag", codec=codec, instances=mentioned)


def make_caption(image: TrainingImage, *, coordinates: Coordinates) -> tuple[str, str]:
    """The chain's last prompt about an image's true instances, and the image's caption."""
    codec = BoxCodec(coordinates=coordinates, width=image.width, height=image.height)
    listed = order_instances(image.instances, order="left_to_right")
    return build_prompt("cap", codec=codec, instances=listed), build_answer("cap", codec=codec, caption=image.caption)


def _batches(
    images: Sequence[TrainingImage], *, checkpoint: Checkpoint, config: LanguageTrainConfig
) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
    """(B, L) ids padded on the right, and (B, L) targets: what follows each token of an answer; lists, and in the later
    part of the run captions in every second batch."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rng, layout, coordinates = Random(config.seed), checkpoint.meta.layout, checkpoint.meta.coordinates
    pool = [item for image in images for item in image.instances]
    codec = BoxCodec(coordinates=coordinates)
    for step in itertools.count():
        num_texts = _num_texts(step, config=config, num_images=len(images))
        if _writes_captions(step, config=config):
            texts = [make_caption(image, coordinates=coordinates) for image in rng.sample(images, num_texts)]
        else:
            sizes = [min(rng.randint(2, config.max_instances), len(pool)) for _ in range(num_texts)]
            texts = [make_list(rng.sample(pool, size), codec=codec, rng=rng) for size in sizes]
        ids, targets = [], []
        for asked, wanted in texts:
            prompt = encode_prompt(checkpoint.tokenizer, asked, layout=layout)
            answer = encode_answer(checkpoint.tokenizer, wanted, layout=layout)
            ids.append(torch.tensor([*prompt, *answer[:-1]]))
            targets.append(torch.tensor([IGNORED] * (len(prompt) - 1) + list(answer)))
        yield pad_sequence(ids, batch_first=True), pad_sequence(targets, batch_first=True, padding_value=IGNORED)


def _writes_captions(step: int, *, config: LanguageTrainConfig) -> bool:
    return step >= round(config.lists_alone * config.steps) and step % 2 == 1


def _num_texts(step: int, *, config: LanguageTrainConfig, num_images: int) -> int:
    return min(config.captions, num_images) if _writes_captions(step, config=config) else config.lists


def _loss(
    checkpoint: Checkpoint, ids_BL: "torch.Tensor", targets_BL: "torch.Tensor"
) -> "tuple[torch.Tensor, dict[str, float]]":
    """Cross-entropy of the answers with its figures; nothing looks at padding, as it stands behind."""
    from torch.nn.functional import cross_entropy

    model, coordinates = checkpoint.model, token_ids(checkpoint.tokenizer).coordinates
    embedded_BLH = model.get_input_embeddings()(ids_BL)
    hidden_BLH = model.model.language_model(inputs_embeds=embedded_BLH, use_cache=False).last_hidden_state
    is_answer_BL = targets_BL != IGNORED
    targets_M = targets_BL[is_answer_BL]
    logits_MV = model.lm_head(hidden_BLH[is_answer_BL])
    loss = cross_entropy(logits_MV, targets_M)
    is_right_M = (logits_MV.argmax(dim=1) == targets_M).float()
    is_coordinate_M = (targets_M >= coordinates.start) & (targets_M < coordinates.stop)
    return loss, {
        "loss": loss.item(),
        "coordinates": is_right_M[is_coordinate_M].mean().item() if is_coordinate_M.any() else 0.0,
        "words": is_right_M[~is_coordinate_M].mean().item(),
    }
