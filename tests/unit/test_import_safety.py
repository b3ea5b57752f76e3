"""The house rules of the layout: who may import whom, and what an import may cost (I1)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "caption": set(),
    "custom_kernels": set(),
    "configs": set(),
    "llm": {"caption", "configs"},
    "scoring": {"caption", "custom_kernels", "configs", "llm"},
    "engine": {"caption", "custom_kernels", "configs", "llm", "scoring"},
    "chain": {"caption", "custom_kernels", "configs", "llm"},
    "platform": {"caption", "custom_kernels", "configs", "llm", "scoring", "engine", "chain"},
}
ENGINE_PLUGINS = {"chain/backends/vllm_boxes.py"}  # loaded by the engine that they import, and by nothing else
HEAVY = {"torch", "ray", "transformers", "mlflow", "vllm", "deepspeed"}
SOURCES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def run_python(program):
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def imported(tree):
    """(module, stands at the top level) of every import of a file."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "pancap":
                yield from ((f"pancap.{alias.name}", id(node) in top) for alias in node.names)
            else:
                yield ("." * node.level + (node.module or "")), id(node) in top


def test_the_standard_librarys_platform_is_not_shadowed():
    assert run_python("import platform; print(platform.system())") in {"Linux", "Darwin", "Windows"}
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_the_allowed_ways(path):
    folder = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[folder] | {folder}
    for module, is_top_level in imported(ast.parse(path.read_text(encoding="utf-8"))):
        parts = module.split(".")
        assert not module.startswith("."), f"{module}: write pancap.<folder>"
        if parts[0] == "pancap":
            assert parts[1] in allowed, f"{folder} may not import {module}"
        is_plugin = path.relative_to(ROOT).as_posix() in ENGINE_PLUGINS
        assert is_plugin or not (is_top_level and parts[0] in HEAVY - {"torch"}), (
            f"import {module} inside what needs it"
        )


def test_every_package_folder_is_in_the_wheel():
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent for path in SOURCES}
    missing = {f"pancap.{'.'.join(folder.relative_to(ROOT).parts)}" for folder in folders} - listed
    assert not missing, f"add to packages and package-dir of pyproject.toml: {sorted(missing)}"


def test_the_command_line_loads_nothing_heavy():
    """Modules of nothing but torch code may import it on top; what stands before them may not import those."""
    loaded = run_python(
        f"import sys, pancap.platform.cli\nprint([name for name in {sorted(HEAVY)} if name in sys.modules])"
    )
    assert loaded == "[]"


def test_the_caption_package_loads_nothing_heavy():
    names = sorted(HEAVY | {"numpy", "PIL", "pyarrow"})
    loaded = run_python(
        "import sys, pancap.caption, pancap.caption.images, pancap.caption.arrow, pancap.caption.overlay\n"
        f"print([name for name in {names} if name in sys.modules])"
    )
    assert loaded == "[]"
