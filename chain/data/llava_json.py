"""The four stages' tuples as LLaVA JSON with ASMv2 boxes, written for other trainers and read back.

A sample is a stage of an image: `{"id", "image", "conversations": [{"from": "human", "value": prompt}, {"from": "gpt",
"value": answer}]}`, its prompt led by `<image>`; the released training script reads these. Reading puts an image's
samples together again and keeps what does not depend on the draw of the discovery stage: instances and caption.

Boxes are whole thousandths of the padded square, so a box comes back within half a thousandth of the image's long side,
and is rounded to the caption's three decimals on top.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pancap.caption.boxes import Box
from pancap.caption.formats import asmv2
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.data.named_images import MAX_SHOWN, LeftOutError, NamedImage
from pancap.chain.stages import STAGES, STAGES_OF_MODE, StageName
from pancap.chain.tuples import StageExample, TrainingImage, make_examples
from pancap.configs import UsageError

KEY = "conversations"
IMAGE_MARK = "<image>"


@dataclass(frozen=True, slots=True, kw_only=True)
class LlavaImage:
    """The samples of one image: the first of each stage."""

    name: str
    samples: Mapping[StageName, StageExample]

    def to_image(self, file: NamedImage) -> TrainingImage:
        """As `Described` says; the instances are the tag stage's answer, else those that the caption is asked from."""
        if "cap" not in self.samples:
            raise LeftOutError("no caption among its samples")
        caption = self.samples["cap"]
        if not caption.answer:
            raise LeftOutError("empty caption")
        listed = self.samples["tag"].answer if "tag" in self.samples else _known(caption)
        codec = BoxCodec(coordinates="text", width=file.width, height=file.height)
        return TrainingImage(
            image_id=file.image_id,
            path=file.path,
            width=file.width,
            height=file.height,
            instances=_read_instances(listed, file=file),
            caption=codec.from_model(caption.answer),
        )


def export_llava(images: Iterable[TrainingImage], out: str | Path, *, seed: int = 0) -> int:
    """Writes four samples an image.

    Args:
        images: of a dataset; their paths are written as absolute ones.
        out: the JSON file.
        seed: of the discovery stage's draw.

    Returns:
        Number of samples written.
    """
    samples = [
        {
            "id": f"{image.image_id}_{example.stage}",
            "image": str(image.path.absolute()),
            "conversations": [
                {"from": "human", "value": f"{IMAGE_MARK}\n{example.prompt}"},
                {"from": "gpt", "value": example.answer},
            ],
        }
        for image in images
        for example in make_examples(image, coordinates="text", mode="chain", order="caption", seed=seed)
    ]
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(samples, ensure_ascii=False, indent=1))
    return len(samples)


def group_samples(records: Sequence[Mapping[str, Any]], *, source: str | Path) -> list[LlavaImage]:
    """Puts the samples of each image together, in order of the images' first ones.

    Args:
        records: samples, each with its conversations.
        source: the file that they come from, for messages.

    Raises:
        UsageError: a sample has another form, or asks something else than one of the four stages.
    """
    grouped: dict[str, dict[StageName, StageExample]] = {}
    others: list[str] = []
    for number, record in enumerate(records):
        try:
            name, turns = record.get("image"), list(_turns(record[KEY]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"sample {number} of {source} must have conversations of human and gpt in turn, each with a text value "
                f"({type(error).__name__}: {error}); give LLaVA's JSON"
            ) from error
        for prompt, answer in turns:
            stage = _stage_of(prompt)
            if stage is None or not isinstance(name, str):
                others.append(prompt)
            else:
                example = StageExample(stage=stage, prompt=prompt, answer=answer)
                grouped.setdefault(name, {}).setdefault(stage, example)
    if others:
        raise UsageError(
            f"{len(others)} questions in {source} are not about an image or not one of the chain's four (the first: "
            f"{others[0][:MAX_SHOWN]!r}); pancap learns boxes, tags, what is missing and the caption from the "
            "prompts that its own LLaVA export writes, take the others out"
        )
    return [LlavaImage(name=name, samples=samples) for name, samples in grouped.items()]


def _turns(conversation: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Questions, without the image's mark, and their answers."""
    for human, gpt in zip(conversation[::2], conversation[1::2], strict=True):
        if (human["from"], gpt["from"]) != ("human", "gpt"):
            raise ValueError(f"got {human['from']!r} and {gpt['from']!r}")
        yield human["value"].replace(IMAGE_MARK, "").strip(), gpt["value"].strip()


def _stage_of(prompt: str) -> StageName | None:
    """The stage of the chain that asks so."""
    for name in STAGES_OF_MODE["chain"]:
        stage = STAGES[name]
        if prompt == stage.head or (stage.needs != "nothing" and prompt.startswith(stage.head)):
            return name
    return None


def _known(example: StageExample) -> str:
    """What a prompt says behind its head."""
    return example.prompt.removeprefix(STAGES[example.stage].head).strip()


def _read_instances(text: str, *, file: NamedImage) -> tuple[Instance, ...]:
    """A list of tags with boxes, one instance a box; boxes with the three decimals of captions."""
    parsed = asmv2.parse_instances(text, width=file.width, height=file.height)
    if any(not reason.startswith("duplicate: ") for reason in parsed.dropped):
        raise LeftOutError("malformed list of instances")
    found: dict[Box, Instance] = {}
    for tag, box in parsed.instances:
        if box is not None:
            rounded = Box.from_units(box.to_units())
            found.setdefault(rounded, Instance(tag=tag, box=rounded))
    if not found:
        raise LeftOutError("no box among its instances")
    return tuple(found.values())
