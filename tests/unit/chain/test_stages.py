from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec, Instance
from pancap.chain.stages import STAGES_OF_MODE, ChainState, build_answer, build_prompt, merge_answer, prompt_of

TEXT = BoxCodec(coordinates="text")
TOKENS = BoxCodec(coordinates="tokens")
CAT = Instance(tag="cat", box=Box(0.1, 0.2, 0.3, 0.4))
DOG = Instance(tag="dog", box=Box(0.5, 0.2, 0.7, 0.4))


def test_prompts_are_those_of_the_paper_in_text_form():
    assert build_prompt("loc", codec=TEXT) == "Please localize all entities in this image."
    assert build_prompt("tag", codec=TEXT, boxes=[CAT.box, DOG.box]) == (
        "Please specify the semantic tags of all entities based on their bounding boxes: "
        "<box>[[100, 200, 300, 400]]</box>, <box>[[500, 200, 700, 400]]</box>"
    )
    assert build_prompt("disc", codec=TEXT, instances=[CAT]) == (
        "Please specify missing entities and their locations for this image based on these specified entities: "
        "cat <box>[[100, 200, 300, 400]]</box>"
    )
    assert build_prompt("cap", codec=TEXT, instances=[CAT]).endswith(
        "as well as the global image status, based on boxes and tags: cat <box>[[100, 200, 300, 400]]</box>"
    )


def test_discovery_of_nothing_is_answered_none():
    assert build_answer("disc", codec=TOKENS) == "None"


def test_a_perfect_model_s_answers_go_through_the_chain():
    caption = "A cat [[0.100, 0.200, 0.300, 0.400]] looks at a dog [[0.500, 0.200, 0.700, 0.400]]."
    for codec in (TEXT, TOKENS):
        state = ChainState()
        answers = {
            "loc": build_answer("loc", codec=codec, boxes=[CAT.box]),
            "tag": build_answer("tag", codec=codec, instances=[CAT]),
            "disc": build_answer("disc", codec=codec, instances=[DOG]),
            "cap": build_answer("cap", codec=codec, caption=caption),
        }
        for stage in STAGES_OF_MODE["chain"]:
            state = merge_answer(stage, state, answers[stage], codec=codec)
        assert state.boxes == (CAT.box,)
        assert state.instances == (CAT, DOG)
        assert state.caption == caption
        assert state.answers == answers


def test_discovered_instances_are_appended_once():
    state = ChainState(instances=(CAT,))
    answer = build_answer("disc", codec=TOKENS, instances=[CAT, DOG])
    assert merge_answer("disc", state, answer, codec=TOKENS).instances == (CAT, DOG)


def test_each_stage_is_asked_with_what_the_one_before_found():
    state = merge_answer("loc", ChainState(), "<box><c100><c200><c300><c400>", codec=TOKENS)
    assert prompt_of("tag", state, codec=TOKENS).endswith("boxes:<box><c100><c200><c300><c400>")
