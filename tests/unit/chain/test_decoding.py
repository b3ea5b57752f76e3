from dataclasses import replace

import pytest
import torch

from pancap.chain.decoding.answers import Branch, cut_runaway
from pancap.chain.decoding.grammar import AnswerRules
from pancap.chain.decoding.loop import Decoder
from pancap.chain.decoding.slots import Slots, refuse_other_attention
from pancap.chain.images import to_pixels
from pancap.chain.tokenizer import encode_prompt
from pancap.configs import UsageError

PROMPTS = ("Please localize all entities in this image.", "A red square", "The scene is calm. A", "is", "green")


@pytest.fixture
def pixels(pictures):
    return to_pixels(pictures, image_px=32)


def branches_of(checkpoint, *, max_new_tokens: int = 24) -> list[Branch]:
    prompts = [tuple(encode_prompt(checkpoint.tokenizer, prompt)) for prompt in PROMPTS]
    return [Branch(prompt_ids=prompt, max_new_tokens=max_new_tokens - index) for index, prompt in enumerate(prompts)]


def write(decoder, questions):
    """Answers to every branch about every image, in as many slots as the decoder has: {(image, branch): answer}.

    Args:
        decoder: with free slots.
        questions: pixels of an image, with the branches that are asked about it in turn.
    """
    waiting, answers, seated = list(enumerate(questions)), {}, {}
    while waiting or seated:
        entering = [waiting.pop(0) for _ in range(min(decoder.num_free, len(waiting)))]
        if entering:
            slots = decoder.encode(torch.stack([pixels for _, (pixels, _) in entering]))
            for slot, (image, (_, branches)) in zip(slots, entering, strict=True):
                seated[slot] = (image, list(enumerate(branches)))
                decoder.start(slot, branches[0])
        for slot, answer in decoder.step():
            image, left = seated[slot]
            answers[image, left.pop(0)[0]] = answer
            if left:
                decoder.start(slot, left[0][1])
            else:
                decoder.leave(slot)
                del seated[slot]
    return answers


def test_answers_are_those_of_transformers_own_greedy_search(token_checkpoint, pixels):
    branches = branches_of(token_checkpoint)
    decoder = Decoder(token_checkpoint, num_slots=len(pixels), repeat_window=0)
    answers = write(decoder, [(image, [branch]) for image, branch in zip(pixels, branches, strict=True)])
    for image, branch in enumerate(branches):
        ids = torch.tensor([[*token_checkpoint.prefix_ids, *branch.prompt_ids]])
        theirs = token_checkpoint.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=pixels[image : image + 1],
            max_new_tokens=branch.max_new_tokens,
            do_sample=False,
        )[0, ids.shape[1] :].tolist()
        assert answers[image, 0].ids == [token for token in theirs if token != token_checkpoint.tokenizer.eos_token_id]


def test_an_answer_depends_neither_on_its_neighbours_nor_on_what_its_slot_held_before(token_checkpoint, pixels):
    """Three images with five questions each, begun and ended at different steps, against one question in a new slot."""
    branches = branches_of(token_checkpoint)
    questions = [(pixels[start], branches[start:] + branches[:start]) for start in range(3)]
    alone = {
        (image, question): write(Decoder(token_checkpoint, num_slots=1), [(picture, [branch])])[0, 0]
        for image, (picture, asked) in enumerate(questions)
        for question, branch in enumerate(asked)
    }
    for num_slots in (2, 4):
        assert write(Decoder(token_checkpoint, num_slots=num_slots), questions) == alone
    assert len({tuple(answer.ids) for answer in alone.values()}) > 6


def test_a_model_with_fewer_key_heads_than_heads_is_read_right(token_checkpoint, pixels):
    """Converted checkpoints may have grouped heads; none of ours has."""
    from transformers import LlavaForConditionalGeneration

    config = token_checkpoint.model.config.__class__.from_dict(token_checkpoint.model.config.to_dict())
    config.text_config.num_key_value_heads = 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config).eval()
    decoder = Decoder(replace(token_checkpoint, model=model), num_slots=1)
    ids = torch.tensor([[*token_checkpoint.prefix_ids, 7, 8, 9]])
    (slot,) = decoder.encode(pixels[:1])
    with torch.inference_mode():
        theirs = model.model(input_ids=ids, pixel_values=pixels[:1]).last_hidden_state[0, -3:]
        ours = decoder.slots.read(model.get_input_embeddings()(torch.tensor([7, 8, 9])), slots=[slot], sizes=[3])
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_long_answers_outgrow_the_buffers_without_a_change(token_checkpoint, pixels):
    short, long = (
        write(
            Decoder(token_checkpoint, num_slots=1, repeat_window=0),
            [(pixels[0], branches_of(token_checkpoint, max_new_tokens=num)[:1])],
        )[0, 0]
        for num in (20, 200)
    )
    assert long.ids[:20] == short.ids
    assert 128 < len(long.ids) <= 200


def test_memory_follows_the_images_under_way(token_checkpoint, pixels):
    """Keys and values were held for all slots as soon as one was in use: for one image through nano 3.6 MB with a
    batch size of 1, 228 MB with 64."""
    decoder = Decoder(token_checkpoint, num_slots=64)
    held = []
    for num_entering in (1, 2):
        slots = decoder.encode(pixels[:num_entering])
        held.append(len(decoder.slots._keys_NGCD[0]))
        for slot in slots:
            decoder.leave(slot)
    assert held == [1, 2]


def test_tensors_are_made_on_the_models_device(token_checkpoint, pixels):
    """Ids, places and bounds were made on the default device, so that a model on a GPU could not run. Here the model is
    on the CPU, and the default device is one that holds no numbers."""
    rules = AnswerRules(stage="loc", limits=(0, 0, 1000, 1000))
    questions = [(image, [replace(branches_of(token_checkpoint)[0], rules=rules)]) for image in pixels]
    usual = write(Decoder(token_checkpoint, num_slots=2), questions)
    with torch.device("meta"):
        elsewhere = write(Decoder(token_checkpoint, num_slots=2), questions)
    assert elsewhere == usual
    assert any(answer.confidence for answer in usual.values()), "no box was written, so no bounds were made"


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [
        ("qwen3", {}, "qwen3"),
        ("mistral", {"sliding_window": 16}, "sliding_window 16"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 0}, "sliding_window 16"),
        ("llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type dynamic"),
    ],
)
def test_models_that_attend_in_another_way_are_refused(name, settings, what):
    """They were run as if they were Llama: norms and windows left out, turns taken from the longest neighbour."""
    with pytest.raises(UsageError, match=f"got .*{what}.* set backend=vllm"):
        refuse_other_attention(language_model(name, **settings))


@pytest.mark.parametrize(("name", "settings"), [("llama", {}), ("mistral", {"sliding_window": None}), ("qwen2", {})])
def test_models_like_llama_are_read_right(name, settings):
    model = language_model(name, **settings)
    ids = torch.arange(40)
    with torch.inference_mode():
        theirs = model(input_ids=ids.unsqueeze(0)).last_hidden_state[0]
        slots, ours = Slots(model, num_slots=2), []
        for start, stop in ((0, 30), (30, 31), (31, 40)):
            ours.append(slots.read(model.embed_tokens(ids[start:stop]), slots=[1], sizes=[stop - start]))
            slots.lengths[1] = stop
    torch.testing.assert_close(torch.cat(ours), theirs, atol=1e-5, rtol=1e-4)


def language_model(name, **settings):
    from transformers import AutoConfig, AutoModel

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = AutoConfig.for_model(
        name,
        vocab_size=64,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
        **sizes,
        **settings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModel.from_config(config).eval()


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
