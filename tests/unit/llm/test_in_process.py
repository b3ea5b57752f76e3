"""What is handed to vLLM; tests/integration/llm has the engine itself."""

from types import SimpleNamespace

import pytest

from pancap.llm.config import VllmConfig
from pancap.llm.in_process import _reply, choice_tokens, engine_arguments, vllm_identity


class WordTokenizer:
    """A token for each piece; with SentencePiece's mark, a text alone begins as if a space stood before it."""

    def __init__(self, *, mark=""):
        self._mark, self._pieces = mark, []

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        first, *others = text.split(" ")
        pieces = [self._mark + first, *("_" + word for word in others)]
        self._pieces += [piece for piece in pieces if piece not in self._pieces]
        return [self._pieces.index(piece) for piece in pieces]

    def convert_ids_to_tokens(self, ids):
        return [self._pieces[number] for number in ids]


def test_choices_of_equally_many_tokens_need_no_end_token():
    assert choice_tokens(("yes no", "no no"), WordTokenizer()) == [[0, 1], [2, 1]]


@pytest.mark.parametrize(
    ("choices", "mark"), [((), ""), (("yes", "no no"), ""), (("yes no", "no no"), "\u2581")], ids=str
)
def test_choices_that_may_end_otherwise_keep_their_end_token(choices, mark):
    assert choice_tokens(choices, WordTokenizer(mark=mark)) == []


def test_what_the_user_sets_for_the_engine_wins_and_speed_is_no_part_of_the_identity():
    config = VllmConfig(engine={"structured_outputs_config": {"backend": "guidance"}, "max_num_seqs": 8})
    assert engine_arguments(config)["structured_outputs_config"] == {"backend": "guidance"}
    assert engine_arguments(VllmConfig())["structured_outputs_config"]["disable_any_whitespace"]
    same = VllmConfig(engine={**config.engine, "max_num_seqs": 64, "distributed_executor_backend": "mp"})
    assert vllm_identity("m", config) == vllm_identity("m", same) != vllm_identity("m", VllmConfig())


@pytest.mark.parametrize(
    ("reason", "text", "finish"),
    [
        ("stop", "a", "stop"),
        ("length", "a", "length"),
        ("length", "yes", "stop"),  # a choice is complete without an end token
        ("repetition", "a a a", "length"),  # cut, and of use up to there
        ("abort", "", "refused"),
    ],
)
def test_why_an_engine_ended_says_what_a_reply_is_worth(reason, text, finish):
    completion = SimpleNamespace(finish_reason=reason, text=text, token_ids=(1, 2))
    output = SimpleNamespace(outputs=[completion], prompt_token_ids=(1,), num_cached_tokens=0)
    reply = _reply(output, choices=("yes", "no"))
    assert (reply.finish, reply.text) == (finish, text)
