import torch

from pancap.chain.decoding.loop import Branch, cut_runaway, decode_branches, encode_prefix
from pancap.chain.images import to_pixels
from pancap.chain.tokenizer import encode_prompt


def branches_of(checkpoint, num_images: int, *, max_new_tokens: int = 24) -> list[Branch]:
    prompts = ["Please localize all entities in this image.", "A red square", "The scene is calm. A", "is", "green"]
    return [
        Branch(
            image=image,
            prompt_ids=tuple(encode_prompt(checkpoint.tokenizer, prompts[image % len(prompts)])),
            max_new_tokens=max_new_tokens - image,
        )
        for image in range(num_images)
    ]


def test_answers_are_those_of_transformers_own_greedy_search(token_checkpoint, pictures):
    pixels = to_pixels(pictures, image_px=32)
    branches = branches_of(token_checkpoint, len(pictures))
    answers = decode_branches(
        token_checkpoint, encode_prefix(token_checkpoint, pixels), branches=branches, repeat_window=0
    )
    for branch, answer in zip(branches, answers, strict=True):
        ids = torch.tensor([[*token_checkpoint.prefix_ids, *branch.prompt_ids]])
        theirs = token_checkpoint.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=pixels[branch.image : branch.image + 1],
            max_new_tokens=branch.max_new_tokens,
            do_sample=False,
        )[0, ids.shape[1] :].tolist()
        assert answer.ids == [token for token in theirs if token != token_checkpoint.tokenizer.eos_token_id]


def test_a_row_s_answer_does_not_depend_on_the_batch(token_checkpoint, pictures):
    pixels = to_pixels(pictures, image_px=32)
    prefix = encode_prefix(token_checkpoint, pixels)
    branches = branches_of(token_checkpoint, len(pictures))
    together = decode_branches(token_checkpoint, prefix, branches=branches)
    alone = [decode_branches(token_checkpoint, prefix, branches=[branch])[0] for branch in branches]
    assert together == alone
    assert len({tuple(answer.ids) for answer in together}) > 1


def test_decoding_leaves_the_prefix_as_it_was(token_checkpoint, pictures):
    prefix = encode_prefix(token_checkpoint, to_pixels(pictures[:2], image_px=32))
    before = [keys.clone() for keys in prefix.keys]
    first = decode_branches(token_checkpoint, prefix, branches=branches_of(token_checkpoint, 2))
    assert decode_branches(token_checkpoint, prefix, branches=branches_of(token_checkpoint, 2)) == first
    assert all(torch.equal(old, new) for old, new in zip(before, prefix.keys, strict=True))


def test_long_answers_outgrow_the_buffers_without_a_change(token_checkpoint, pictures):
    prefix = encode_prefix(token_checkpoint, to_pixels(pictures[:1], image_px=32))
    (short,), (long,) = (
        decode_branches(
            token_checkpoint,
            prefix,
            branches=branches_of(token_checkpoint, 1, max_new_tokens=num),
            repeat_window=0,
        )
        for num in (20, 200)
    )
    assert long.ids[:20] == short.ids
    assert len(long.ids) <= 200


def test_no_branches_give_no_answers(token_checkpoint, pictures):
    prefix = encode_prefix(token_checkpoint, to_pixels(pictures[:1], image_px=32))
    assert decode_branches(token_checkpoint, prefix, branches=[]) == []


def test_a_repeated_sequence_is_cut_to_two_copies():
    """R26: endless repeats stop."""
    box = [10, 1, 2, 3, 4]
    assert cut_runaway([7, *box * 3], window=40) == 11
    assert cut_runaway([7, *box * 2], window=40) is None
    assert cut_runaway([5, 5, 5, 5], window=40) is None
    assert cut_runaway([9, *[5] * 12], window=40) == 3


def test_a_loop_costs_no_box_when_the_box_before_it_ends_alike():
    """One copy was kept, counted from where the answer begins to repeat; here that is the 4 of the box before, so
    that the 4 of the repeated box was cut off, and the parser dropped the box."""
    answer = [10, 5, 6, 7, 4, *[10, 1, 2, 3, 4] * 3]
    length = cut_runaway(answer[:-1], window=40)
    assert length is not None and answer[5:10] == answer[:length][5:10]
