import json

import pytest
import torch

from pancap.custom_kernels.bench import run
from pancap.custom_kernels.bench.case import Check, poisoned
from pancap.custom_kernels.pairwise_iou.bench import cpu_ratio


@pytest.fixture(autouse=True)
def no_ceilings(monkeypatch):
    monkeypatch.setattr(run, "copy_bandwidth", lambda device: 1e10)
    monkeypatch.setattr(run, "matrix_rate", lambda device: 1e11)


@pytest.mark.parametrize("op", run.OPS)
def test_every_op_is_checked_and_timed_on_the_cpu(op):
    found = run.bench_kernels(ops=[op], device="cpu", rounds=1)
    assert found.is_correct, [check for check in found.checks if not check.is_passed]
    assert found.checks and {row.op for row in found.rows} == {op}
    assert any(row.peer == "pancap again" for row in found.rows)
    assert found.note == run.NO_GPU and run.NO_GPU in found.render()
    lines = [json.loads(line) for line in found.render().splitlines() if line.startswith("{")]
    assert [line["op"] for line in lines] == [op]
    json.dumps(found.to_dict())


def test_a_failed_check_shows_and_nan_fails():
    bad = Check(name="odd", error=float("nan"), limit=1e-5)
    found = run.KernelsBench(machine={}, note=None, checks=(bad,), rows=())
    assert not found.is_correct and "FAILED odd" in found.render()


def test_an_unknown_op_is_refused():
    with pytest.raises(ValueError, match="ops must be among"):
        run.bench_kernels(ops=["warp"])


def test_poison_shows_what_was_not_written_and_is_cleared_away():
    with poisoned():
        assert torch.empty(3).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_many_ragged_pairs_take_less_than_a_python_loop():
    """The figure of the README is for 100,000 pairs; a count this small only proves the order of magnitude."""
    found = cpu_ratio(num_pairs=3000, sample=10, rounds=1)
    assert found["a Python loop over pairs of boxes"][0] > 10 * found["pancap"][0]
