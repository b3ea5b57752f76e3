"""The four stages as data: what each asks, about what, and what becomes of its answer.

`chain.layouts` says how prompt and answer become a sequence. Each fixed prompt is a single token of the chain's own
tokenizer, so a branch costs little more than its answer.

Source: the prompts are the interface constants of the released PancapChain (paper section 4 and its appendix); that of
`inst`, which the two-stage baseline asks, is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pancap.caption.boxes import Box
from pancap.caption.formats import sapancap
from pancap.chain.boxtokens import BoxCodec, Codec, Instance
from pancap.chain.config import ChainMode

StageName = Literal["loc", "tag", "disc", "cap", "one_stage", "inst"]
NO_INSTANCES = "None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One question to the model.

    Args:
        name: key of the stage.
        head: fixed start of the prompt.
        needs: what is appended to the head: nothing, the known boxes, or the known instances.
        gives: what the answer holds.
    """

    name: StageName
    head: str
    needs: Literal["nothing", "boxes", "instances"]
    gives: Literal["boxes", "instances", "caption"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """What is known of one image between stages; `confidence` as in `chain.backends.base.Answer`, of all of them."""

    boxes: tuple[Box, ...] = ()
    instances: tuple[Instance, ...] = ()
    caption: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    confidence: dict[Box, float] = field(default_factory=dict)


STAGES: dict[StageName, Stage] = {
    stage.name: stage
    for stage in (
        Stage(name="loc", head="Please localize all entities in this image.", needs="nothing", gives="boxes"),
        Stage(
            name="tag",
            head="Please specify the semantic tags of all entities based on their bounding boxes:",
            needs="boxes",
            gives="instances",
        ),
        Stage(
            name="disc",
            head="Please specify missing entities and their locations for this image based on these specified "
            "entities:",
            needs="instances",
            gives="instances",
        ),
        Stage(
            name="cap",
            head="Please provide a hyper-detailed description for this image, including all entities, their "
            "locations, attributes, and relationships, as well as the global image status, based on boxes and tags:",
            needs="instances",
            gives="caption",
        ),
        Stage(
            name="one_stage",
            head="Please provide a hyper-detailed description for this image, including all entities, their "
            "locations, attributes, and relationships, as well as the global image status.",
            needs="nothing",
            gives="caption",
        ),
        Stage(
            name="inst",
            head="Please specify all entities and their locations for this image.",
            needs="nothing",
            gives="instances",
        ),
    )
}

STAGES_OF_MODE: dict[ChainMode, tuple[StageName, ...]] = {
    "chain": ("loc", "tag", "disc", "cap"),
    "loc_tag_cap": ("loc", "tag", "cap"),
    "two_stage": ("inst", "cap"),
    "one_stage": ("one_stage",),
    "instances": ("inst",),
}


def build_prompt(
    stage: StageName, *, codec: BoxCodec, boxes: Sequence[Box] = (), instances: Sequence[Instance] = ()
) -> str:
    """The prompt of a stage, without prefix and closing line break.

    Example:
        >>> build_prompt("tag", codec=BoxCodec(coordinates="text"), boxes=[Box(0.1, 0.2, 0.3, 0.4)])[-48:]
        'bounding boxes: <box>[[100, 200, 300, 400]]</box>'
    """
    rule = STAGES[stage]
    if rule.needs == "nothing":
        return rule.head
    known = codec.render_boxes(boxes) if rule.needs == "boxes" else codec.render_instances(instances)
    return rule.head + codec.gap + known


def build_answer(
    stage: StageName,
    *,
    codec: BoxCodec,
    boxes: Sequence[Box] = (),
    instances: Sequence[Instance] = (),
    caption: str = "",
) -> str:
    """The right answer of a stage, as the model is trained to write it (`disc` of no instances: `None`)."""
    rule = STAGES[stage]
    if rule.gives == "boxes":
        return codec.render_boxes(boxes)
    if rule.gives == "instances":
        return codec.render_instances(instances) or NO_INSTANCES
    return codec.to_model(caption)


def prompt_of(stage: StageName, state: ChainState, *, codec: BoxCodec) -> str:
    """The prompt of a stage from what the stages before it found."""
    return build_prompt(stage, codec=codec, boxes=state.boxes, instances=state.instances)


def merge_answer(
    stage: StageName, state: ChainState, answer: str, *, codec: Codec, same_tag_max_iou: float = 1.0
) -> ChainState:
    """What is known after a stage has answered; never raises, whatever the answer.

    Args:
        stage: which one.
        state: what was known.
        answer: the model's text.
        codec: reads its boxes.
        same_tag_max_iou: of two instances of one tag whose IoU is above this the later one is dropped.

    Source: paper section 4: boxes, then tags with boxes, are parsed up to the first malformed entry, exact
    duplicates dropped; newly discovered instances are appended.
    """
    state = replace(state, answers={**state.answers, stage: answer})
    if stage == "loc":
        return replace(state, boxes=codec.parse_boxes(answer))
    if stage in ("tag", "inst"):
        return replace(state, instances=_distinct(codec.parse_instances(answer), same_tag_max_iou))
    if stage == "disc":
        found = codec.parse_instances(answer)
        return replace(state, instances=_distinct((*state.instances, *found), same_tag_max_iou))
    return replace(state, caption=codec.from_model(answer))


def list_instances(instances: Sequence[Instance]) -> str:
    """The caption of a mode that ends without writing one: tags with boxes, in SA-Pancap form.

    Example:
        >>> list_instances([Instance(tag="tree", box=Box(0.1, 0.2, 0.3, 0.4))])
        'tree [[0.100, 0.200, 0.300, 0.400]]'
    """
    return ", ".join(f"{instance.tag} {sapancap.render_box(instance.box)}" for instance in instances)


def _distinct(instances: Sequence[Instance], same_tag_max_iou: float) -> tuple[Instance, ...]:
    kept: list[Instance] = []
    for item in dict.fromkeys(instances):
        if not any(item.tag == other.tag and item.box.iou(other.box) > same_tag_max_iou for other in kept):
            kept.append(item)
    return tuple(kept)
