"""The command line as a user meets it: help, one-sentence errors, exit codes."""

import errno
import json
import subprocess
import sys

import pytest

from pancap.configs import StoppedError, TooManyBadRowsError, UsageError
from pancap.platform import cli


def pancap(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pancap.platform.cli", *arguments], capture_output=True, text=True, timeout=60
    )


def test_help_lists_every_verb_and_loads_no_heavy_library():
    code = (
        "import sys; sys.argv = ['pancap', '--help']\n"
        "from pancap.platform.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'ray', 'transformers', 'mlflow', 'numpy', 'omegaconf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    for verb in ("quickstart", "doctor", "scenes", "engine", "train", "caption", "score", "serve", "config"):
        assert verb in done.stdout
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("engine", "run", "sourse=x", "out=y"), "did you mean source?"),
        (("engine", "run", "source=/nowhere/at/all", "out=y"), "/nowhere/at/all"),
        (("scenes", "--config", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("scenes", "num=many", "out=x"), "num"),
        (("scenes", "num"), "key=value"),
        (("scenes",), "out is required"),
        (("serve", "port=0"), "port must be 1..65535"),
        (("serve", "model=/nowhere"), "/nowhere"),
        (("caption", "photos", "model=nano", "dtype=int4"), "dtype"),
        (("caption", "photo.png", "model=nano", "device=cuda"), "set device=cpu"),
        (("score", "nowhere.json", "nowhere.json"), "nowhere.json"),
        (("score", "replay", "--candidate-content", "nowhere.json"), "Missing option"),
        (("score", "captions", "nowhere.json", "nowhere.json", "--out", "no/folder.json"), "no does not exist"),
        (("compare", "nowhere.json", "elsewhere.json"), "nowhere.json does not exist"),
        (("compare", "nowhere.json"), "a second system is needed"),
        (("compare", "a.json", "b.json", "--images", "."), "--reference"),
        (("config", "nothing"), "choose one of"),
        (("fly",), "No such command"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "photo.png").touch()
    done = pancap(*arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("wrong"), 2),
        (TooManyBadRowsError("bad"), 3),
        (StoppedError("stopped"), 4),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "/full/disk"), 4),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(error, code, monkeypatch, capsys):
    """R28, R34."""

    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    if isinstance(error, OSError):
        assert "/full/disk" in capsys.readouterr().err


def test_an_interrupt_inside_a_command_ends_with_its_exit_code(monkeypatch, capsys):
    """R34: typer catches it before `main` does; the run ended with 0 and without a word."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_command", interrupt)
    monkeypatch.setattr(sys, "argv", ["pancap", "config"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


def captions(path, texts):
    path.write_text(json.dumps(texts))
    return str(path)


def test_two_caption_files_are_scored_compared_and_put_beside_the_paper(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    true = {
        f"{n}.png": f"A red dog [[0.1, 0.1, 0.{n}, 0.9]] is on the grass [[0.0, 0.5, 1.0, 1.0]]." for n in range(5, 9)
    }
    poor = {name: "A dog is there." for name in true}
    reference = captions(tmp_path / "true.json", true)
    for name, texts in (("good", true), ("poor", poor)):
        done = pancap("score", captions(tmp_path / f"{name}.json", texts), reference, "--out", f"{name}_scores.json")
        assert done.returncode == 0, done.stderr
    done = pancap("compare", "good_scores.json", "poor_scores.json", "--out", "comparison", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["losses"] == record["num_images"] == 4
    assert record["overall"]["interval"]["high"] < 0
    assert (tmp_path / "comparison" / "differences.png").stat().st_size > 0
    run = next(iter(mlflow_runs(tmp_path)))
    same = pancap("compare", run, "good_scores.json", "--json")
    assert same.returncode == 0, same.stderr
    beside = pancap("compare", "good_scores.json", "--paper")
    assert "PancapChain-13B" in beside.stdout and "173.19" in beside.stdout and "good_scores.json" in beside.stdout


def mlflow_runs(folder):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("pancap")
    return [run.info.run_id for run in client.search_runs([experiment.experiment_id])]


def test_every_setting_of_every_verb_is_described():
    from importlib import import_module

    from pancap.platform.commands.show_config import SCHEMAS, describe

    for target in SCHEMAS.values():
        module, _, name = target.partition(":")
        lines = describe(getattr(import_module(module), name))
        assert lines, target
        undocumented = [line for line in lines if "  # " not in line]
        assert not undocumented, target


@pytest.fixture
def captioned(monkeypatch):
    """`pancap caption` up to the captioning; gives its settings."""
    from pancap.chain import folder

    class Done(Exception):
        pass

    def settings_of(*arguments):
        seen = []

        def stop(settings, on_progress):
            seen.append(settings)
            raise Done

        monkeypatch.setattr(folder, "caption_folder", stop)
        with pytest.raises(Done):
            cli.app(["caption", *arguments], standalone_mode=False)
        return seen[0]

    return settings_of


def test_images_are_named_with_or_without_their_key(captioned):
    """`pancap caption photos more out=x` is `pancap caption images=[photos,more] out=x`."""
    assert captioned("it's a.png", "more", "model=nano").images == ["it's a.png", "more"]
    assert captioned("images=photos", "model=nano").images == "photos"


@pytest.mark.parametrize(
    "name", ["\U0001f600.png", "\udcff.png", "a\tb.png", "${oc.env:PANCAP_TEST_SECRET}.jpg", "x: [y"]
)
def test_the_name_of_an_image_is_never_read_as_a_setting(captioned, monkeypatch, name):
    """An emoji was a traceback, and an interpolation put the variable's value into the error that was printed."""
    monkeypatch.setenv("PANCAP_TEST_SECRET", "canary")
    assert captioned(name, "model=nano").images == [name]


def test_a_path_with_an_equals_sign_is_a_path_where_it_exists(captioned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w=3.png").touch()
    found = captioned("w=3.png", "model=nano", "prompting.system=" + 300 * "long ")
    assert (found.images, len(found.prompting.system)) == (["w=3.png"], 1499)
