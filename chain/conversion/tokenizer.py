"""Llama's tokenizer as LLaVA uses it, with the image token: the same ids, in a file that loads everywhere alike."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.layouts import LAYOUTS, chat_template
from pancap.chain.tokenizer import IMAGE
from pancap.configs import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def read_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a LLaVA 1.x checkpoint, `<image>` being its last token.

    Text is split at added tokens (ASMv2's `<box>`), and each piece starts with a word boundary, as LLaVA's (`legacy`)
    tokenizer has it. Before transformers 4.34, which LLaVA 1.5 was trained with, blanks around added tokens were
    dropped; that is kept where tokenizer_config.json does not say otherwise (`added_tokens_decoder`).

    Raises:
        UsageError: the folder holds no tokenizer of Llama's kind.
    """
    from tokenizers import Tokenizer
    from transformers import LlamaTokenizer, PreTrainedTokenizerFast

    try:
        given = LlamaTokenizer.from_pretrained(folder, local_files_only=True)
        state = json.loads(given.backend_tokenizer.to_str())
        if state["model"]["type"] != "BPE" or not state["model"]["byte_fallback"]:
            raise ValueError("it is not Llama's kind, BPE with bytes")
        config_file = folder / "tokenizer_config.json"
        config = json.loads(config_file.read_text()) if config_file.is_file() else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise UsageError(f"{folder} has no tokenizer that can be read: {reason}; copy tokenizer.model there") from error
    bos, eos = given.bos_token, given.eos_token
    state |= _word_boundaries()
    state["post_processor"] = _begin_with(bos, int(given.bos_token_id))
    state["added_tokens"] = _added_tokens(state, drops_blanks="added_tokens_decoder" not in config)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)),
        bos_token=bos,
        eos_token=eos,
        unk_token=given.unk_token,
        pad_token=given.pad_token or given.unk_token,
        additional_special_tokens=[IMAGE],
        chat_template=chat_template(LAYOUTS["vicuna"]),
        model_max_length=int(config.get("model_max_length", 2048)),
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def _word_boundaries() -> dict[str, Any]:
    """Each piece of text begins with the mark that stands for a blank."""
    steps = [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    return {"normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": None}


def _begin_with(token: str, number: int) -> dict[str, Any]:
    """Puts the begin token before a text where special tokens are asked for."""
    begin, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    second = {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [begin, text],
        "pair": [begin, text, second],
        "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}},
    }


def _added_tokens(state: dict[str, Any], *, drops_blanks: bool) -> list[dict[str, Any]]:
    """Those of the tokenizer, and the image token. ASMv2's are part of the answers, so they are not special."""
    added = []
    for token in state["added_tokens"]:
        if token["content"] not in state["model"]["vocab"]:
            blanks = {"lstrip": True, "rstrip": True} if drops_blanks else {}
            token = {**token, **blanks, "special": False}
        added.append({**token, "normalized": False})
    last = max([*state["model"]["vocab"].values(), *(token["id"] for token in added)])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [*added, {"id": last + 1, "content": IMAGE, **flags}]
