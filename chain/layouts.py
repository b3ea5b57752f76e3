"""How image, prompt and answer make one sequence: the chain's own layout, and the conversation of LLaVA 1.5.

A sequence is a prefix, the same for every stage of an image, and one branch per stage:

    prefix: {begin}{before_image}<image>...<image>{after_image}        (one <image> per patch)
    branch: {before_prompt}{prompt}{after_prompt}{before_answer}{answer}{end}

What stands before the image and what stands after it are encoded apart, as LLaVA does: Llama's tokenizer puts a word
boundary at the start of each.

Source: the texts of `vicuna` are interface constants of Vicuna 1.1, on which LLaVA 1.5 and ASMv2 were trained.
"""

from dataclasses import dataclass
from typing import Literal

LayoutName = Literal["plain", "vicuna"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The fixed texts of a sequence."""

    before_image: str = ""
    after_image: str = ""
    before_prompt: str = ""
    after_prompt: str = ""
    before_answer: str = ""


LAYOUTS: dict[LayoutName, Layout] = {
    "plain": Layout(after_image="\n", after_prompt="\n"),
    "vicuna": Layout(
        before_image="A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
        before_prompt="\n",
        after_prompt=" ASSISTANT:",
        before_answer=" ",
    ),
}


def chat_template(layout: Layout) -> str:
    """The layout for engines that are sent messages: one turn, the user's, its picture before its text (Jinja).

    vLLM hands over the parts of a message only to a template in which it sees `message['content']` looped over.
    """
    image = _write("<image>" + layout.after_image + layout.before_prompt)
    part = "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}" + image + "{% endif %}"
    parts = "{% for part in message['content'] %}" + part + "{% endfor %}"
    turn = _write(layout.before_image) + parts + _write(layout.after_prompt)
    return "{{ bos_token }}{% for message in messages %}" + turn + "{% endfor %}"


def _write(text: str) -> str:
    """A Jinja expression; a line break that stood in the template itself would be trimmed."""
    return "{{ " + repr(text) + " }}" if text else ""
