"""What a kernel takes of a GPU, found on a machine without one: compiled ahead of time and read from the binary."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Of one compiled kernel.

    Args:
        registers: a thread, at most 255.
        spilled_bytes: a thread, local memory and stack; 0 for a healthy kernel.
        shared_bytes: a program; an H100 has 227 KiB for one.
    """

    registers: int
    spilled_bytes: int
    shared_bytes: int


def compile_ahead(
    kernel: Any,
    *,
    signature: Mapping[str, str],
    constants: Mapping[str, Any],
    num_warps: int,
    num_stages: int = 3,
    capability: int = 90,
) -> Resources:
    """Compiles a Triton kernel for an NVIDIA GPU of the given compute capability; needs no GPU.

    Args:
        kernel: a `triton.jit` function.
        signature: Triton type of each run-time argument, as in {"x_ptr": "*bf16", "n": "i32"}. Pointers are taken
            to be aligned to 16 bytes, as torch allocates them, and so are the integers whose name says so by the
            suffix ":16" of the type.
        constants: values of the `tl.constexpr` arguments.
        num_warps, num_stages: of the launch.
        capability: 90 is Hopper.

    Raises:
        RuntimeError: Triton is interpreting, or the binary cannot be read.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if triton.knobs.runtime.interpret:
        raise RuntimeError("compile_ahead compiles and Triton interprets; unset TRITON_INTERPRET")
    types = {name: signature[name].partition(":")[0] if name in signature else "constexpr" for name in kernel.arg_names}
    aligned = [
        (index,)
        for index, name in enumerate(kernel.arg_names)
        if types[name].startswith("*") or signature.get(name, "").endswith(":16")
    ]
    source = ASTSource(
        fn=kernel,
        signature=types,
        constexprs=dict(constants),
        attrs={path: [["tt.divisibility", 16]] for path in aligned},
    )
    compiled = triton.compile(
        source,
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": num_warps, "num_stages": num_stages},
    )
    registers, spilled = _read_usage(compiled.asm["cubin"], tool=triton.knobs.nvidia.cuobjdump.path)
    return Resources(registers=registers, spilled_bytes=spilled, shared_bytes=compiled.metadata.shared)


def _read_usage(binary: bytes, *, tool: str) -> tuple[int, int]:
    """(registers, spilled bytes) of the one kernel in a binary."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(binary)
        done = subprocess.run([tool, "-res-usage", str(path)], capture_output=True, text=True, check=False)
    found = _USAGE.search(done.stdout + done.stderr)
    if found is None:
        raise RuntimeError(f"{tool} printed no resource usage: {(done.stdout + done.stderr)[:200]!r}")
    return int(found[1]), int(found[2]) + int(found[4])
