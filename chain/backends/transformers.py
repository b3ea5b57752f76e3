"""The chain on plain transformers and torch, with the project's own batched decoding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pancap.chain.backends.base import Answer, Question
from pancap.chain.boxtokens import BoxCodec, render_units
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.drafts import DraftRules, Speller
from pancap.chain.decoding.grammar import AnswerRules
from pancap.chain.decoding.loop import Branch, Decoded, decode_branches, encode_prefix
from pancap.chain.images import to_pixels
from pancap.chain.stages import NO_INSTANCES, ChainState, StageName, prompt_of
from pancap.chain.tokenizer import decode, encode, encode_answer, encode_prompt

if TYPE_CHECKING:
    from pancap.chain.decoding.cache import KeyValueCache
    from pancap.chain.model import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedBatch:
    """Keys and values of the images' prefixes, and how each image spells boxes."""

    prefix: "KeyValueCache"
    codecs: tuple[BoxCodec, ...]


class TransformersBackend:
    """Runs a checkpoint in this process.

    Args:
        checkpoint: from `load_checkpoint`.
        decoding: limits and constraints.
    """

    def __init__(self, checkpoint: "Checkpoint", *, decoding: DecodingConfig | None = None) -> None:
        """Keeps the model; nothing is run."""
        self.checkpoint = checkpoint
        self.decoding = decoding or DecodingConfig()
        self.coordinates = checkpoint.meta.coordinates
        self.num_images_encoded = 0
        self._spellers: dict[StageName, Speller] = {}

    def encode(self, images: Sequence[np.ndarray]) -> EncodedBatch:
        """Runs the vision tower and the shared prefix once per image."""
        pixels = to_pixels(images, image_px=self.checkpoint.image_px, resample=self.checkpoint.meta.resample)
        prefix = encode_prefix(self.checkpoint, pixels)
        self.num_images_encoded += len(images)
        codecs = [
            BoxCodec(coordinates=self.coordinates, width=image.shape[1], height=image.shape[0]) for image in images
        ]
        return EncodedBatch(prefix=prefix, codecs=tuple(codecs))

    def answer(self, encoded: EncodedBatch, questions: Sequence[Question]) -> list[Answer]:
        """Decodes all questions as one batch."""
        branches = [self._branch(question, encoded=encoded) for question in questions]
        answers = self._decode(encoded.prefix, branches)
        return [
            Answer(
                text=decode(self.checkpoint.tokenizer, answer.ids),
                confidence={
                    box: confidence
                    for units, confidence in answer.confidence.items()
                    for box in encoded.codecs[question.image].parse_boxes(render_units(units))
                },
            )
            for question, answer in zip(questions, answers, strict=True)
        ]

    def _decode(self, prefix: "KeyValueCache", branches: Sequence[Branch]) -> list[Decoded]:
        return decode_branches(
            self.checkpoint,
            prefix,
            branches=branches,
            repeat_window=self.decoding.repeat_window,
            step_tokens=self.decoding.draft_step_tokens,
        )

    def _branch(self, question: Question, *, encoded: EncodedBatch) -> Branch:
        codec = encoded.codecs[question.image]
        prompt = prompt_of(question.stage, question.state, codec=codec)
        prompt_ids = encode_prompt(self.checkpoint.tokenizer, prompt, layout=self.checkpoint.meta.layout)
        return Branch(
            image=question.image,
            prompt_ids=tuple(prompt_ids),
            max_new_tokens=self.decoding.max_new_tokens(question.stage),
            rules=self._rules(question.stage, question.state, codec=codec),
            drafts=self._drafts(question.stage, question.state, codec=codec),
        )

    def _rules(self, stage: StageName, state: ChainState, *, codec: BoxCodec) -> AnswerRules | None:
        if self.coordinates != "tokens" or not self.decoding.enable_constraints:
            return None
        is_free = stage == "cap" and self.checkpoint.meta.refines_captions and self.decoding.enable_refinement
        instances = () if is_free else state.instances
        boxes = state.boxes if stage == "tag" else tuple(instance.box for instance in instances)
        tags = [f" {instance.tag}" for instance in instances] if stage == "cap" else []
        return AnswerRules(
            stage=stage,
            limits=codec.limits(),
            known=tuple(codec.to_units(box) for box in boxes),
            known_tags=tuple(tuple(encode(self.checkpoint.tokenizer, tag)) for tag in tags),
            nothing=tuple(encode(self.checkpoint.tokenizer, NO_INSTANCES)[:1]),
            is_refined=self.checkpoint.meta.refines_boxes and self.decoding.enable_refinement,
            is_complete=self.decoding.enable_complete_captions,
        )

    def _drafts(self, stage: StageName, state: ChainState, *, codec: BoxCodec) -> DraftRules | None:
        if not self.decoding.enable_drafts:
            return None
        speller = self._speller(stage)
        instances = [(instance.tag, instance.box) for instance in state.instances] if stage == "cap" else []
        known = [("", box) for box in state.boxes] if stage == "tag" else instances
        return DraftRules(
            stage=stage,
            spelling=speller.spelling,
            known=tuple(speller.known(tag=tag, units=codec.to_units(box)) for tag, box in known),
            eos=int(self.checkpoint.tokenizer.eos_token_id),
            ngram=self.decoding.draft_ngram,
        )

    def _speller(self, stage: StageName) -> Speller:
        """How the tokenizer spells the boxes of a stage, found once."""

        def encode_inside(text: str) -> list[int]:
            return encode_answer(self.checkpoint.tokenizer, text, layout=self.checkpoint.meta.layout)[:-1]

        if stage not in self._spellers:
            self._spellers[stage] = Speller(encode_inside, stage=stage, coordinates=self.coordinates)
        return self._spellers[stage]
