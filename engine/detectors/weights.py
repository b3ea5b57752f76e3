"""Weight files of the embedded networks: safetensors, half precision, what they are in the header."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.configs.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

WEIGHTS_DIR = Path(__file__).parents[1] / "weights"
HEADER_KEY = "pancap"


@dataclass(frozen=True, kw_only=True)
class WeightsInfo:
    """What a weight file says of itself.

    Args:
        kind: `proposer`, `grounder` or `tagger`.
        classes: names in the order of the scores; empty for a class-agnostic model.
        command: the command that trained it.
        seed: first Scenes seed of its training pictures and seed of the training.
        num_scenes: how many different pictures it saw.
        num_steps: optimizer steps.
        batch_size: pictures a step.
        version: of pancap and of torch.
    """

    kind: str
    classes: tuple[str, ...]
    command: str
    seed: int
    num_scenes: int
    num_steps: int
    batch_size: int
    version: str


def save_weights(network: "nn.Module", *, file: Path, info: WeightsInfo) -> None:
    """Writes a network's state in half precision; the file appears complete or not at all."""
    import torch
    from safetensors.torch import save_file

    state = {}
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            state[name] = value.to(torch.float16).contiguous() if value.is_floating_point() else value.contiguous()
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file(state, str(partial), metadata={HEADER_KEY: json.dumps(asdict(info))})
    partial.replace(file)


def read_info(file: Path) -> WeightsInfo:
    """The header of a weight file.

    Raises:
        UsageError: the file is missing, no safetensors file, or none of ours.
    """
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise UsageError(
            f"weight file {file.name} is missing in {file.parent}; reinstall pancap, or train it with "
            f"`pancap train detectors out={file.parent}`"
        )
    try:
        with safe_open(str(file), framework="numpy") as opened:
            header = (opened.metadata() or {}).get(HEADER_KEY)
    except SafetensorError as error:
        raise UsageError(f"{file} is not a safetensors file ({error}); reinstall pancap") from error
    if header is None:
        raise UsageError(
            f"{file} has no {HEADER_KEY} header, so it is not one of the embedded models; name another file"
        )
    fields = json.loads(header)
    return WeightsInfo(**{**fields, "classes": tuple(fields["classes"])})


def load_into(network: "nn.Module", *, file: Path) -> None:
    """Fills a network from a weight file, in single precision, and sets it to inference.

    Raises:
        UsageError: a tensor is missing, superfluous or of another shape.
    """
    from safetensors.torch import load_file

    state = {name: value.float() for name, value in load_file(str(file)).items()}
    wanted = {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
    if set(state) != wanted:
        odd = sorted(set(state) ^ wanted)
        raise UsageError(f"{file.name} does not fit this version of pancap: {len(odd)} tensors differ, first {odd[0]}")
    try:
        network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UsageError(f"{file.name} does not fit this version of pancap: {error}") from error
    network.eval()
