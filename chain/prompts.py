"""What models are asked that were never trained on the chain.

A   one question: describe everything, with boxes.
B   the same with an example of the form.
C   the chain's stages as questions of their own, each with its form explained.

The texts are ours. Known boxes stand last, behind what never changes, so that engines and endpoints compute the image
and the beginning of a prompt once.
"""

from pancap.chain.config import ChainMode, PromptSet
from pancap.chain.plain_boxes import Frame, PlainCodec
from pancap.chain.stages import STAGES, STAGES_OF_MODE, ChainState, StageName
from pancap.configs import UsageError

BOX_FORMS: dict[Frame, str] = {
    "fractions": "[[x1, y1, x2, y2]] with x1 and x2 as fractions of the width and y1 and y2 as fractions of the height "
    "of the image, from 0 to 1 with three decimals; (x1, y1) is the top-left and (x2, y2) the bottom-right corner",
    "thousandths": "[[x1, y1, x2, y2]] in whole numbers from 0 to 1000, x over the width of the image and y over its "
    "height; (x1, y1) is the top-left and (x2, y2) the bottom-right corner",
    "thousandths_yx": "[[y1, x1, y2, x2]] in whole numbers from 0 to 1000, y over the height of the image and x over "
    "its width; (y1, x1) is the top-left and (y2, x2) the bottom-right corner",
    "pixels": "[[x1, y1, x2, y2]] in pixels of this image, which is {width} wide and {height} high; (x1, y1) is the "
    "top-left and (x2, y2) the bottom-right corner",
}

_CAPTION = (
    "Name every entity, things (people, animals, objects and their visible parts) as well as surroundings (sky, "
    "ground, water, walls). Put its box right after the words that name it, once for each entity. Tell what each one "
    "looks like (colour, shape, material, texture, state, any text on it), how they stand to each other (where, part "
    "of what, doing what, how large beside it), and what holds for the whole image (light, weather, viewpoint, mood, "
    "style). State only what can be seen. Write plain sentences in one paragraph, without a heading, a list or a "
    "closing remark."
)
_EXAMPLE = (
    "A brown dog [[0.120, 0.415, 0.468, 0.902]] with a red collar [[0.201, 0.533, 0.297, 0.590]] lies on a green lawn "
    "[[0.000, 0.480, 1.000, 1.000]], to the left of a white wooden bench [[0.551, 0.362, 0.940, 0.815]]. Above them is "
    "a clear blue sky [[0.000, 0.000, 1.000, 0.402]]. It is a bright day, seen from the height of a person."
)
_INSTANCE_LIST = "Answer with one entity on each line, its tag and its box, and nothing else: tag {box}"

PROMPTS: dict[PromptSet, dict[StageName, str]] = {
    "A": {"one_stage": f"Describe this image completely. {_CAPTION}\nA box is written {{form}}."},
    "B": {
        "one_stage": f"Describe this image completely. {_CAPTION}\nA box is written {{form}}.\n"
        "An example of the form, of another image:\n{example}"
    },
    "C": {
        "loc": "Find every entity in this image, things as well as surroundings such as sky, ground, water or walls, "
        "and give the box of each.\nA box is written {form}.\nAnswer with one box on each line and nothing else: {box}",
        "tag": "Say what is in each of the boxes that are listed below, with a tag of one to three words.\n"
        f"A box is written {{form}}.\n{_INSTANCE_LIST}\nCopy each box as it is. The boxes:\n{{known}}",
        "disc": "Some entities of this image are listed below. Find those that are missing in the list, things as well "
        f"as surroundings.\nA box is written {{form}}.\n{_INSTANCE_LIST}\n"
        "If none is missing, answer: None\nThe list:\n{known}",
        "cap": "Describe this image completely. The list below says which entities are there and where. "
        f"{_CAPTION}\nA box is written {{form}}; copy those of the list.\nThe list:\n{{known}}",
        "inst": "Find every entity in this image, things as well as surroundings such as sky, ground, water or walls.\n"
        f"A box is written {{form}}.\n{_INSTANCE_LIST}",
    },
}


def check_prompts(prompts: PromptSet, mode: ChainMode) -> None:
    """Refuses a mode that a set has no prompts for.

    Raises:
        UsageError: it has none for one of the stages.
    """
    if not PROMPTS[prompts].keys() >= set(STAGES_OF_MODE[mode]):
        raise UsageError(
            f"prompting.prompts={prompts} does not go with mode={mode}; A and B take one_stage, C takes chain, "
            "loc_tag_cap, two_stage or instances"
        )


def zero_shot_prompt(prompts: PromptSet, stage: StageName, state: ChainState, *, codec: PlainCodec) -> str:
    """The prompt of a stage from what the stages before it found."""
    needs = STAGES[stage].needs
    known = codec.render_boxes(state.boxes) if needs == "boxes" else codec.render_instances(state.instances)
    form = BOX_FORMS[codec.frame].format(width=codec.width, height=codec.height)
    return PROMPTS[prompts][stage].format(
        form=form, box=form[: form.index("]]") + 2], known=known or "None", example=codec.to_model(_EXAMPLE)
    )
