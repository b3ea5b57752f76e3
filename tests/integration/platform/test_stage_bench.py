"""`pancap bench stages` with the shipped chain on drawn scenes."""

import pytest

from pancap.configs import UsageError
from pancap.platform.stage_bench import StageBenchConfig, bench_stages


def test_every_row_gives_one_true_stage_more(scenes):
    done = []
    config = StageBenchConfig(held_out=str(scenes[1]), limit=3)
    bench = bench_stages(config, on_progress=lambda what, count, total: done.append((what, count, total)))
    found = bench.to_dict()
    assert [row["true"] for row in found["rows"]] == [[], ["loc"], ["loc", "tag"], ["loc", "tag", "disc"]]
    assert found["num_images"] == 3 and found["judge"].startswith("rule")
    assert all(0 <= row["overall"] <= 410 for row in found["rows"])
    assert ("captions, true loc tag", 3, 3) in done
    table = bench.render().splitlines()
    assert len(table) == 6 and table[3].startswith("loc tag")


def test_a_model_of_one_stage_has_none_to_give(scenes):
    with pytest.raises(UsageError, match="a model of several stages"):
        bench_stages(StageBenchConfig(held_out=str(scenes[1]), model="nano_one_stage"))
