"""The chain on plain transformers and torch, with the project's own continuous decoding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from pancap.chain.backends.base import Answer, Follow, Opening, Question
from pancap.chain.boxtokens import BoxCodec, render_units, without_open_box
from pancap.chain.config import DecodingConfig
from pancap.chain.decoding.answers import Branch, Decoded
from pancap.chain.decoding.box_masks import TextMasks, TextRules
from pancap.chain.decoding.drafts import DraftRules, Speller
from pancap.chain.decoding.grammar import AnswerRules
from pancap.chain.decoding.loop import Decoder
from pancap.chain.decoding.slots import refuse_other_attention
from pancap.chain.images import to_pixels
from pancap.chain.stages import NO_INSTANCES, ChainState, StageName, prompt_of
from pancap.chain.tokenizer import decode, encode, encode_answer, encode_prompt

if TYPE_CHECKING:
    from pancap.chain.model import Checkpoint


@dataclass(frozen=True, slots=True)
class _Seated:
    """The image in a slot: its place among all, and how it spells boxes."""

    place: int
    codec: BoxCodec


class TransformersBackend:
    """Runs a checkpoint in this process.

    Args:
        checkpoint: from `load_checkpoint`.
        decoding: limits and constraints.
        batch_size: images under way at a time.
    """

    def __init__(
        self, checkpoint: "Checkpoint", *, decoding: DecodingConfig | None = None, batch_size: int = 16
    ) -> None:
        """Keeps the model; nothing is run.

        Raises:
            UsageError: a language model that `chain.decoding` cannot run.
        """
        refuse_other_attention(checkpoint.model.model.language_model)
        self.checkpoint = checkpoint
        self.decoding = decoding or DecodingConfig()
        self.batch_size = batch_size
        self.coordinates = checkpoint.meta.coordinates
        self.num_images_encoded = 0
        self._spellers: dict[StageName, Speller] = {}
        is_text = self.coordinates == "text"
        self._text_masks = TextMasks(checkpoint.tokenizer.get_vocab()) if is_text else None

    def codec(self, image: np.ndarray) -> BoxCodec:
        """See `Backend`."""
        return BoxCodec(coordinates=self.coordinates, width=image.shape[1], height=image.shape[0])

    def converse(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[int]:
        """See `Backend`. Images that find room at the same time are encoded together."""
        decoder = self._decoder()
        waiting = enumerate(openings)
        seated: dict[int, _Seated] = {}
        while True:
            if entering := list(islice(waiting, decoder.num_free)):
                seated |= self._enter(decoder, entering)
            if not seated:
                return
            for slot, decoded in decoder.step():
                place, codec = seated[slot].place, seated[slot].codec
                question = follow(place, self._answer(decoded, codec=codec))
                if question:
                    decoder.start(slot, self._branch(question, codec=codec))
                else:
                    decoder.leave(slot)
                    del seated[slot]
                yield place

    def _decoder(self) -> Decoder:
        return Decoder(
            self.checkpoint,
            num_slots=self.batch_size,
            repeat_window=self.decoding.repeat_window,
            step_tokens=self.decoding.draft_step_tokens,
        )

    def _enter(self, decoder: Decoder, entering: list[tuple[int, Opening]]) -> dict[int, _Seated]:
        """Encodes images and asks what is asked first."""
        images = [image for _, (image, _) in entering]
        pixels = to_pixels(images, image_px=self.checkpoint.image_px, resample=self.checkpoint.meta.resample)
        self.num_images_encoded += len(images)
        seated = {}
        for slot, (place, (image, question)) in zip(decoder.encode(pixels), entering, strict=True):
            seated[slot] = _Seated(place, self.codec(image))
            decoder.start(slot, self._branch(question, codec=seated[slot].codec))
        return seated

    def _answer(self, decoded: Decoded, *, codec: BoxCodec) -> Answer:
        confidence = {
            box: confidence
            for units, confidence in decoded.confidence.items()
            for box in codec.parse_boxes(render_units(units))
        }
        text = decode(self.checkpoint.tokenizer, decoded.ids)
        if self.decoding.enable_constraints:
            text = without_open_box(text)
        return Answer(text=text, confidence=confidence)

    def _branch(self, question: Question, *, codec: BoxCodec) -> Branch:
        prompt = prompt_of(question.stage, question.state, codec=codec)
        prompt_ids = encode_prompt(self.checkpoint.tokenizer, prompt, layout=self.checkpoint.meta.layout)
        return Branch(
            prompt_ids=tuple(prompt_ids),
            max_new_tokens=self.decoding.max_new_tokens(question.stage),
            rules=self._rules(question.stage, question.state, codec=codec),
            drafts=self._drafts(question.stage, question.state, codec=codec),
        )

    def _rules(self, stage: StageName, state: ChainState, *, codec: BoxCodec) -> AnswerRules | TextRules | None:
        """With digits each box is as it must be; that it is a known one is asked of coordinate tokens alone."""
        if not self.decoding.enable_constraints:
            return None
        if self._text_masks:
            return TextRules(masks=self._text_masks, limits=codec.limits())
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
