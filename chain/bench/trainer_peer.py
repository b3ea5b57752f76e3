"""What `pancap bench training` is measured against: Hugging Face's Trainer over DeepSpeed, a sample a stage."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancap.chain.images import normalize
from pancap.chain.tokenizer import encode_answer, encode_prompt
from pancap.chain.tuples import TrainingImage, make_examples

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tokens of the language model's input in some steps.

    Args:
        num_tokens: all, padding included.
        num_real: without padding.
        num_supervised: those that are asked for.
    """

    num_tokens: int
    num_real: int
    num_supervised: int

    def __add__(self, other: "Counts") -> "Counts":
        """Of both."""
        return Counts(
            num_tokens=self.num_tokens + other.num_tokens,
            num_real=self.num_real + other.num_real,
            num_supervised=self.num_supervised + other.num_supervised,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Some steps of one way of training: seconds of processor time and what went through."""

    seconds: float
    counts: Counts


@dataclass(kw_only=True)
class Collator:
    """Pads samples to one length; keeps the counts of each batch."""

    pixels: np.ndarray
    pad: int
    batches: list[Counts] = field(default_factory=list)

    def __call__(self, samples: Sequence[dict[str, Any]]) -> "dict[str, torch.Tensor]":
        """A batch in the terms of transformers' LLaVA."""
        import torch

        longest = max(len(sample["input_ids"]) for sample in samples)
        ids = torch.full((len(samples), longest), self.pad)
        labels = torch.full_like(ids, IGNORED)
        for row, sample in enumerate(samples):
            length, start = len(sample["input_ids"]), sample["answer_start"]
            ids[row, :length] = torch.tensor(sample["input_ids"])
            labels[row, start:length] = ids[row, start:length]
        lengths = torch.tensor([len(sample["input_ids"]) for sample in samples])
        self.batches.append(
            Counts(num_tokens=ids.numel(), num_real=int(lengths.sum()), num_supervised=int((labels != IGNORED).sum()))
        )
        return {
            "input_ids": ids,
            "attention_mask": (torch.arange(longest) < lengths.unsqueeze(1)).long(),
            "labels": labels,
            "pixel_values": normalize(np.stack([self.pixels[sample["image"]] for sample in samples])),
        }


def make_samples(
    images: Sequence[TrainingImage], *, tokenizer: "PreTrainedTokenizerFast", prefix_ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Four samples an image, boxes as text."""
    samples = []
    for index, image in enumerate(images):
        for example in make_examples(image, coordinates="text", mode="chain", order="left_to_right", seed=0):
            prompt = [*prefix_ids, *encode_prompt(tokenizer, example.prompt)]
            ids = [*prompt, *encode_answer(tokenizer, example.answer)]
            samples.append({"image": index, "input_ids": ids, "answer_start": len(prompt)})
    return samples


def run_trainer(
    model: "LlavaForConditionalGeneration",
    samples: Sequence[dict[str, Any]],
    *,
    collator: Collator,
    batch_size: int,
    deepspeed: dict[str, Any],
    out: Path,
    seed: int,
) -> Turn:
    """One pass over the samples, the first step not counted.

    Args:
        model: trained in place.
        samples: of `make_samples`.
        collator: makes the batches.
        batch_size: samples a step.
        deepspeed: its configuration.
        out: scratch folder.
        seed: of the order.
    """
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        """Processor time at the end of each step."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.process_time())

    clock = Clock()
    collator.batches.clear()
    arguments = TrainingArguments(
        output_dir=str(out),
        per_device_train_batch_size=batch_size,
        num_train_epochs=1,
        learning_rate=deepspeed["optimizer"]["params"]["lr"],
        weight_decay=deepspeed["optimizer"]["params"]["weight_decay"],
        max_grad_norm=deepspeed["gradient_clipping"],
        train_sampling_strategy="group_by_length",
        deepspeed=deepspeed,
        ddp_backend="gloo",
        use_cpu=True,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_drop_last=True,
        seed=seed,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=samples, data_collator=collator, callbacks=[clock])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return Turn(seconds=clock.ends[-1] - clock.ends[0], counts=reduce(add, collator.batches[1:]))
