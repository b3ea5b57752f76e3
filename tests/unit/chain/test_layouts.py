"""The layout as a chat template gives the ids that training and the transformers backend make."""

import jinja2

from pancap.chain.layouts import LAYOUTS, chat_template
from pancap.chain.stages import STAGES
from pancap.chain.tokenizer import encode, encode_prefix, encode_prompt


def test_messages_become_the_ids_of_a_branch(token_checkpoint):
    """vLLM renders as transformers does, line breaks behind a block trimmed: a bare one in the template would go."""
    jinja = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    content = [{"type": "image"}, {"type": "text", "text": STAGES["loc"].head}]
    template = jinja.from_string(chat_template(LAYOUTS["plain"]))
    tokenizer = token_checkpoint.tokenizer
    text = template.render(bos_token=tokenizer.bos_token, messages=[{"role": "user", "content": content}])
    prefix = encode_prefix(tokenizer, num_image_tokens=1)
    assert encode(tokenizer, text) == [*prefix, *encode_prompt(tokenizer, STAGES["loc"].head)]
