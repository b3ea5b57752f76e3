"""Marks every test by its folder, and finds the data that stays outside the repository."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine, and no judgement of its speed: a busy one must not turn a test red.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

os.environ.pop("MLFLOW_TRACKING_URI", None)  # no test writes to somebody's server
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items):
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder in {"unit", "property", "integration", "e2e"}:
            item.add_marker(getattr(pytest.mark, folder))


@pytest.fixture(autouse=True)
def no_tracking_server(monkeypatch):
    """What MLflow wrote into the environment in one test is not for the commands that the next one starts."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real captions, photographs and reference scores; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data beside the checkout ({SHARED.name}/)")
    return SHARED
