"""From an image with entities and a caption to the training tuples of the four stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from pancap.caption.boxes import Box
from pancap.caption.content import CaptionContent
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.config import ChainMode, Coordinates
from pancap.chain.stages import STAGES_OF_MODE, StageName, build_answer, build_prompt

EntityOrder = Literal["caption", "left_to_right"]

# How often the discovery stage has nothing to find, so that the model learns to say `None`.
NOTHING_MISSING = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """One row of a dataset, ready to be asked about.

    Args:
        image_id: sha256 of the file's bytes.
        path: where the image lies.
        width, height: pixels of the image.
        instances: entities that have a box, as the dataset lists them, one per box.
        caption: SA-Pancap form.
        content: exact content, where the dataset has it (Scenes); for supervising the vision tower only.
        mask: PNG that says whose each pixel is, where the dataset has it (Scenes).
        mask_values: what the pixels of each instance hold in it.
    """

    image_id: str
    path: Path
    width: int
    height: int
    instances: tuple[Instance, ...]
    caption: str
    content: CaptionContent | None = None
    mask: bytes | None = None
    mask_values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageExample:
    """A question and its right answer, in the model's text."""

    stage: StageName
    prompt: str
    answer: str


def make_examples(
    image: TrainingImage,
    *,
    coordinates: Coordinates,
    mode: ChainMode,
    order: EntityOrder,
    seed: int,
    box_noise: float = 0.0,
    caption_noise: float = 0.0,
) -> tuple[StageExample, ...]:
    """The tuples of one image, one a stage of the mode.

    Args:
        image: the row.
        coordinates: how boxes are spelled.
        mode: which stages.
        order: `caption` lists entities as the dataset does; `left_to_right` by x1, then y1, which gives the list
            one right order that can be learned.
        seed: with the image id it decides what the discovery stage has to find, and the noise.
        box_noise: see `roughen`; of the boxes that the tag stage is asked about.
        caption_noise: see `mistake`; of the instances that the caption is asked from.
    """
    codec = BoxCodec(coordinates=coordinates, width=image.width, height=image.height)
    instances = order_instances(image.instances, order=order)
    rng = Random(f"{seed}/{image.image_id}")
    known, missing = split_for_discovery(instances, rng=rng)
    wanted: dict[StageName, Sequence[Instance]] = {"tag": instances, "inst": instances, "disc": missing}
    boxes = [item.box for item in instances]
    size = (image.width, image.height)
    asked = [roughen(box, rng=rng, noise=box_noise, size=size) for box in boxes] if box_noise else boxes
    found: Sequence[Instance] = instances
    if caption_noise:
        found = mistake(instances, rng=rng, noise=caption_noise, box_noise=box_noise, size=size)
    given: dict[StageName, Sequence[Instance]] = {"disc": known, "cap": order_instances(found, order=order)}
    return tuple(
        StageExample(
            stage=stage,
            prompt=build_prompt(stage, codec=codec, boxes=asked, instances=given.get(stage, ())),
            answer=build_answer(
                stage, codec=codec, boxes=boxes, instances=wanted.get(stage, ()), caption=image.caption
            ),
        )
        for stage in STAGES_OF_MODE[mode]
    )


def order_instances(instances: Sequence[Instance], *, order: EntityOrder) -> tuple[Instance, ...]:
    """The instances in the order in which the model lists them."""
    if order == "caption":
        return tuple(instances)
    return tuple(sorted(instances, key=lambda item: (item.box.x1, item.box.y1, item.box.x2, item.box.y2)))


def roughen(box: Box, *, rng: Random, noise: float, size: tuple[int, int]) -> Box:
    """A box as localization might have found it, inside the image.

    As localization errs, so does this: some boxes are exact and some far off, whatever the others of the image are;
    small ones are missed by as much as middling ones, those that span the image are found. And as its boxes do, the
    edges lie on whole pixels; else a model knows by their fractions which boxes are rough, and trusts all others, its
    own among them.

    Args:
        box: the true one.
        rng: decides.
        noise: standard deviation of an edge of the roughest and smallest boxes, as a share of the image.
        size: width and height of the image in pixels.
    """
    strength = noise * rng.random() ** 2
    spans = []
    for low, high, pixels in ((box.x1, box.x2, size[0]), (box.y1, box.y2, size[1])):
        std = strength * (1.0 - (high - low))
        first, last = sorted((low + rng.gauss(0.0, std), high + rng.gauss(0.0, std)))
        start = min(max(round(first * pixels), 0), pixels - 1)
        stop = min(max(round(last * pixels), start + 1), pixels)
        spans.append((start / pixels, stop / pixels))
    return Box(spans[0][0], spans[1][0], spans[0][1], spans[1][1])


def mistake(
    instances: Sequence[Instance], *, rng: Random, noise: float, box_noise: float, size: tuple[int, int]
) -> tuple[Instance, ...]:
    """Instances as the stages before the caption might have found them: some missing, mistaken or doubled.

    Args:
        instances: the true ones.
        rng: decides.
        noise: chance of each to be left out; half of it each to bear the tag of another, and to stand there twice.
        box_noise, size: see `roughen`.
    """
    found = []
    for item in instances:
        if rng.random() < noise:
            continue
        tag = rng.choice(instances).tag if rng.random() < noise / 2 else item.tag
        copies = 2 if rng.random() < noise / 2 else 1
        for _ in range(copies):
            box = roughen(item.box, rng=rng, noise=box_noise, size=size) if box_noise else item.box
            found.append(Instance(tag=tag, box=box))
    return tuple(found)


def split_for_discovery(
    instances: Sequence[Instance], *, rng: Random
) -> tuple[tuple[Instance, ...], tuple[Instance, ...]]:
    """Splits at random into known instances and missing ones; the missing are always fewer, sometimes none.

    Source: paper, section 4 (the part to be discovered is the smaller).
    """
    largest = (len(instances) - 1) // 2
    count = 0 if largest < 1 or rng.random() < NOTHING_MISSING else rng.randint(1, largest)
    hidden = set(rng.sample(range(len(instances)), count))
    known = tuple(item for index, item in enumerate(instances) if index not in hidden)
    return known, tuple(item for index, item in enumerate(instances) if index in hidden)
