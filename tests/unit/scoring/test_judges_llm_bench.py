"""What an evaluation would cost a model, counted by replay."""

import json
import re

import pytest

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.configs import UsageError
from pancap.llm import sentencepiece
from pancap.platform.commands.bench import run_judge
from pancap.scoring.judges.llm import bench
from pancap.scoring.judges.llm.bench import JudgeBenchConfig, bench_judge
from pancap.scoring.judges.llm.published_protocol import answer_lines, content_lines, question_lines
from pancap.scoring.judges.rule import RuleJudge
from pancap.scoring.published_lines import read_answers, read_content

CAR = "A red car [[0.10, 0.50, 0.40, 0.90]] is to the left of a tree [[0.60, 0.20, 0.90, 0.80]]."
BLUE_CAR = "A blue car [[0.10, 0.50, 0.40, 0.90]] is to the left of a tree."
CONTENT = CaptionContent(
    entities=(Entity(id=1, tag="car", box=Box(0.1, 0.5, 0.4, 0.9)), Entity(id=2, tag="tree", kind="part")),
    attributes=(Attribute(entity_id=1, text="is red"),),
    relations=(Relation(subject_id=1, object_id=2, text="is to the left of"),),
    globals=("the light is soft",),
)


@pytest.fixture
def words(monkeypatch):
    """Words and signs for tokens, so that a test can count by hand and needs no tokenizer."""
    ids = {}

    def tokenize(text):
        return [ids.setdefault(word, len(ids)) for word in re.findall(r"\w+|[^\w\s]", text)]

    monkeypatch.setattr(bench, "_load_tokenizer", lambda path: ("words", tokenize))
    return tokenize


@pytest.fixture
def files(tmp_path):
    (tmp_path / "references.json").write_text(json.dumps({"1.jpg": CAR, "2.jpg": "A dog sleeps. The light is soft."}))
    (tmp_path / "candidates.json").write_text(json.dumps({"1.jpg": BLUE_CAR}))
    return tmp_path


def test_the_lines_are_those_that_the_published_scorer_reads():
    content = read_content("\n".join(content_lines(CONTENT)))
    assert content.entities == {"entity 1": "car", "entity 2": "tree"}
    assert content.boxes == {"entity 1": (0.1, 0.5, 0.4, 0.9)}
    assert [item.text for item in content.attributes] == ["entity 1 is red"]
    assert [item.subjects for item in content.relations] == [("entity 1", "entity 2")]
    questions = read_content("\n".join(question_lines(CONTENT)))
    assert (questions.entities, questions.boxes) == (content.entities, content.boxes)
    assert len(questions.attributes) == len(questions.relations) == len(questions.globals) == 1
    answers = read_answers("\n".join(answer_lines(CONTENT, {1: 7, 2: 8})))
    assert [answers.attributes, answers.relations, answers.globals] == [[["Yes", "No"]]] * 3


def test_items_of_unmatched_entities_are_not_answered():
    assert [line.split(" -->> ")[0] for line in answer_lines(CONTENT, {1: 7})] == ["1 | attribute", "2 | global"]


def test_two_captions_are_counted_as_by_hand(files, words):
    """Each caption has a car and a tree, a colour and a relation, and both match."""
    captions, candidates = str(files / "references.json"), str(files / "candidates.json")
    found = bench_judge(JudgeBenchConfig(captions=captions, candidates=candidates))
    assert found.num_pairs == 1
    extract, contradict, answer = (found.steps[name] for name in ("extract", "contradict", "answer"))
    assert (extract.requests, contradict.requests, answer.requests) == (2, 3, 4)  # the relation is contradicted once
    assert answer.decode_steps == 2 * 4  # two words each, and no end token
    assert [step.published_requests for step in found.steps.values()] == [2, 2, 2]
    both = [RuleJudge().extract(caption) for caption in (BLUE_CAR, CAR)]
    assert extract.published_decode_steps == sum(len(words("\n".join(content_lines(c)))) + 1 for c in both)
    same = {1: 1, 2: 2}
    assert answer.published_decode_steps == sum(len(words("\n".join(answer_lines(c, same)))) + 1 for c in both)
    for step in found.steps.values():
        assert 0 < step.shared_tokens < step.prompt_tokens
        assert step.decode_steps < step.published_decode_steps
    assert found.total.decode_steps == sum(step.decode_steps for step in found.steps.values())
    summary = json.loads(json.dumps(found.to_dict()))
    assert summary["steps"]["all"]["ratio"] == round(found.total.ratio, 2) and "answer" in found.render()


def test_the_command_prints_one_json_line(files, words, capsys):
    run_judge(overrides=[f"captions={files / 'references.json'}"], as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["num_pairs"] == 1


def test_without_candidates_each_caption_stands_in_one_pair(files, words):
    found = bench_judge(JudgeBenchConfig(captions=str(files / "references.json")))
    assert (found.num_pairs, found.steps["extract"].requests) == (1, 2)


def test_what_cannot_be_counted_is_refused_in_words(files, monkeypatch):
    with pytest.raises(UsageError, match="gives no pair of captions"):
        bench_judge(JudgeBenchConfig(captions=str(files / "candidates.json")))
    with pytest.raises(UsageError, match=r"num must be >= 1, got 0"):
        bench_judge(JudgeBenchConfig(captions="x.json", num=0))
    with pytest.raises(UsageError, match=r"tokenizer /nowhere\.model cannot be loaded"):
        bench_judge(JudgeBenchConfig(captions="x.json", tokenizer="/nowhere.model"))
    monkeypatch.setattr(sentencepiece.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="comes with vLLM"):
        bench_judge(JudgeBenchConfig(captions="x.json"))
