import json
import subprocess
import sys

import numpy as np
import pytest

from pancap.configs.errors import UsageError
from pancap.scoring.encoder import NoEncoder, load_encoder
from pancap.scoring.minilm import gelu


def test_no_encoder_needs_no_torch_and_knows_no_similarity():
    assert load_encoder("none").similarities(["a", "b"], ["c"]).tolist() == [[0.0], [0.0]]
    code = "import sys, pancap.scoring.score as s; s.load_encoder('none'); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(UsageError, match="minilm, none or a model folder"):
        load_encoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"has no model\.safetensors"):
        load_encoder(str(tmp_path))


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"poison")
    monkeypatch.setattr("pancap.scoring.encoder.find_minilm", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"has sha256 .* expected 53aa51172d"):
        from pancap.scoring import encoder

        encoder._load_minilm.__wrapped__()


def test_no_encoder_is_named_in_results():
    assert NoEncoder().name == "none"


def test_minilm_needs_no_torch_and_knows_what_is_alike():
    code = (
        "import sys, json; from pancap.scoring.encoder import load_encoder; e = load_encoder('minilm');"
        "print(json.dumps([e.similarities(['car', 'dog'], ['automobile', 'puppy']).tolist(),"
        "e.similarities(['\\ud800'], ['\\ud800']).tolist(), 'torch' in sys.modules, 'transformers' in sys.modules]))"
    )
    similarities, broken_text, *modules = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    # As torch gives them for the published weights.
    assert np.array(similarities) == pytest.approx(np.array([[0.86453, 0.46440], [0.39429, 0.80400]]), abs=1e-4)
    assert broken_text[0][0] == pytest.approx(1.0)
    assert modules == [False, False]


def test_gelu_is_that_of_bert():
    from scipy.special import erf

    x = np.concatenate([np.linspace(-12, 12, 200_001), [0.0, -0.0, 1e-30, 60.0, -60.0]]).astype(np.float32)
    exact = 0.5 * x.astype(np.float64) * (1 + erf(x.astype(np.float64) * 0.5**0.5))
    assert np.abs(gelu(x.copy()) - exact).max() < 1e-6
    assert gelu(x[:60].copy().reshape(5, 6, 2)).shape == (5, 6, 2)


def test_a_phrase_has_one_vector_whatever_it_is_encoded_with():
    encoder = load_encoder("minilm")
    phrases = ["car", "traffic light", "a very old and rusty bicycle frame", "", "o", "dog " * 400]
    alone = np.concatenate([encoder._encode([phrase]) for phrase in phrases])
    together = encoder._encode(phrases)
    assert np.abs(alone - together).max() < 1e-6
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)
