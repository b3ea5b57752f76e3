"""The published scorer's own figures and mapped files, on cases that were run through it."""

import json
import subprocess
import sys

import pytest

from pancap.scoring.replay_files import match_files, replay_files


@pytest.fixture(scope="module")
def oracle(shared_dir):
    folder = shared_dir / "oracle" / "open"
    if not folder.is_dir():
        pytest.skip("needs the published scorer's reference cases (oracle/open)")
    return folder


def inputs(oracle, case):
    folder = oracle / "inputs"
    return {
        "candidate_content": folder / f"{case}.pred_content.json",
        "reference_questions": folder / f"{case}.gt_questions.json",
        "candidate_answers": folder / f"{case}.pred_answers.json",
        "reference_answers": folder / f"{case}.gt_answers.json",
    }


@pytest.mark.parametrize("case", ["clean", "messy", "sparse", "quirks", "nopred"])
def test_official_figures_equal_the_published_ones(oracle, case):
    expected = json.loads((oracle / "expected.json").read_text())["cases"][case]
    result = replay_files(**inputs(oracle, case), rules="official")
    assert result.entity_map == expected["entity_map"]
    for image, figures in expected["per_image"].items():
        assert result.per_image[image] == pytest.approx(figures, abs=1e-12), image
    assert result.averages == pytest.approx(expected["averages"], abs=1e-12)


@pytest.mark.parametrize("case", ["clean", "messy", "sparse", "quirks"])
@pytest.mark.parametrize(
    ("asks", "answers", "name"),
    [("gt_questions", "pred_content", "gt4pred"), ("pred_questions", "gt_content", "pred4gt")],
)
def test_mapped_questions_equal_the_published_ones_to_the_letter(
    oracle, case, asks, answers, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(oracle)  # the files name their inputs as they were given
    match_files(
        candidate_content=f"inputs/{case}.{answers}.json",
        reference_questions=f"inputs/{case}.{asks}.json",
        out=tmp_path / "mapped.json",
    )
    expected = oracle / "expected_mapped" / f"{case}.{name}_question.json"
    assert (tmp_path / "mapped.json").read_bytes() == expected.read_bytes()


def test_strict_figures_stay_within_their_bounds(oracle):
    result = replay_files(**inputs(oracle, "quirks"), rules="strict")
    for figures in result.per_image.values():
        assert all(value is None or 0 <= value <= 1 for name, value in figures.items() if name != "overall")
    assert 0 < result.averages["overall"] <= 4.1


def test_the_command_line_writes_the_sixteen_figures(oracle, tmp_path):
    options = [f"--{name.replace('_', '-')}={path}" for name, path in inputs(oracle, "quirks").items()]
    out = tmp_path / "replay.json"
    command = [sys.executable, "-m", "pancap.platform.cli", "score", "replay", *options, "--rules=official"]
    subprocess.run([*command, f"--out={out}"], check=True, timeout=120, capture_output=True)
    written = json.loads(out.read_text())
    expected = json.loads((oracle / "expected.json").read_text())["cases"]["quirks"]
    assert written["averages"] == pytest.approx(expected["averages"], abs=1e-9)
    assert written["per_image"].keys() == expected["per_image"].keys()
