"""The examples of docs/SCORING.md and of the docstrings do what they show."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
import yaml

import pancap.scoring
from pancap.scoring import ScoreConfig, score_captions

FOLDER = Path(pancap.scoring.__file__).parent
GUIDE = Path(__file__).parents[3] / "docs" / "SCORING.md"
WITH_EXAMPLES = [path for path in sorted(FOLDER.rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]
REFERENCES = {
    "1.jpg": "A red car [[0.10, 0.50, 0.40, 0.90]] is to the left of a tree [[0.60, 0.20, 0.90, 0.80]].",
    "2.jpg": "A dog [[0.1, 0.1, 0.9, 0.9]] sits on a mat [[0.0, 0.5, 1.0, 1.0]]. The lighting is soft.",
    "3.jpg": "A small boat [[0.1, 0.1, 0.9, 0.9]] is on the water.",
}
CANDIDATES = {
    "1.jpg": "A blue car [[0.10, 0.50, 0.40, 0.90]] is behind a tree [[0.60, 0.20, 0.90, 0.80]].",
    "2.jpg": "A dog [[0.1, 0.1, 0.9, 0.9]] sits on a mat. The lighting is soft.",
    "3.jpg": "",
}


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_docstring_examples(path):
    parts = path.relative_to(FOLDER).with_suffix("").parts
    result = doctest.testmod(importlib.import_module(".".join(("pancap", "scoring", *parts))))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_guide_examples():
    result = doctest.testfile(str(GUIDE), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted > 0) == (0, True)


@pytest.fixture
def task():
    """The task file and the functions of its module, as lmms-eval loads them."""
    text = GUIDE.read_text(encoding="utf-8").split("## Inside lmms-eval")[1]
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)

    def load(loader, node):
        module, name = loader.construct_scalar(node).split(".")
        assert module == "pancap_task"
        functions = {}
        exec(code.replace('ENCODER = "minilm"', 'ENCODER = "none"'), functions)
        return functions[name]

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", load)
    return yaml.load(config, Loader)


def test_the_task_gives_the_figures_of_score_captions(task):
    values = [
        task["process_results"]({"image": image, "caption": REFERENCES[image]}, [CANDIDATES[image]])
        for image in REFERENCES
    ]
    figures = {
        metric["metric"]: metric["aggregation"]([value[metric["metric"]] for value in values])
        for metric in task["metric_list"]
    }
    report = score_captions(CANDIDATES, REFERENCES, ScoreConfig(encoder="none", bootstrap=0))
    assert figures.pop("pancap_overall") == pytest.approx(report.overall)
    expected = {f"pancap_{name}": 100 * value.f1 for name, value in report.dimensions.items()}
    assert figures == pytest.approx(expected)
