"""The measurement of the deterministic scorer, in small."""

import json

from pancap.scoring.bench import bench_replay

CONTENT = "1 | entity -->> (whole, dog)\n2 | entity -->> (whole, old bicycle)\n"


def test_both_ways_are_measured_on_the_same_tags(tmp_path):
    files = {}
    for name, key, text in (
        ("candidate_content", "all_content", CONTENT),
        ("reference_questions", "questions", CONTENT),
        ("candidate_answers", "answers", ""),
        ("reference_answers", "answers", ""),
    ):
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps([{"image_path": f"a/b/{number}.jpg", key: text} for number in range(3)]))
    result = bench_replay(**files, rounds=1)
    assert (result.num_images, result.num_calls, result.num_tags) == (3, 12, 2)
    assert result.ours_s > result.matching_s > 0
    assert 50 < result.peak_mb < 1500
    assert result.to_dict()["ratio"] == result.peer_s / result.ours_s
    assert "one tag a call" in result.render()
