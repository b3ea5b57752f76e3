"""All weights of a LLaVA model, wherever they lie, and whether they are those that the new model needs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.chain.conversion.lora import CONFIG_FILE, Adapter, read_adapter
from pancap.chain.conversion.names import BUFFERS, CLIP_REST, TOWER_PREFIX, llava_name, trainable_name
from pancap.chain.conversion.tensors import StoredTensor, read_file, read_folder
from pancap.chain.export import hub_name
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import LlavaConfig

TRAINABLES_FILE = "non_lora_trainables.bin"
EMBEDDINGS = "model.embed_tokens.weight"
# A row for each token.
VOCABULARY = (EMBEDDINGS, "lm_head.weight")


class LlavaWeights:
    """All weights of a LLaVA model under LLaVA's names, wherever they lie.

    Args:
        source: the checkpoint, or an adapter with what was trained beside it.
        base: the model below the adapter; source itself where there is none.
        vision: a CLIP model, used where the others have no vision tower.
    """

    def __init__(self, *, source: Path, base: Path, vision: Path | None) -> None:
        """Reads the files' headers alone."""
        is_adapter = (source / CONFIG_FILE).is_file()
        if is_adapter and base == source:
            raise UsageError(f"{source} is a LoRA adapter; give the model it was trained on with base=DIR")
        if not is_adapter and base != source:
            raise UsageError(f"{source} has no {CONFIG_FILE}, so base={base} has no use; leave base out")
        self.adapter: Adapter | None = read_adapter(source) if is_adapter else None
        self._stored = read_folder(base)
        if is_adapter:
            if not (source / TRAINABLES_FILE).is_file():
                raise UsageError(f"{source} lacks {TRAINABLES_FILE}, which holds its projector; copy it there")
            trained = read_file(source / TRAINABLES_FILE)
            self._stored |= {trainable_name(name): stored for name, stored in trained.items()}
        if vision is not None and not any(name.startswith(TOWER_PREFIX) for name in self._stored):
            self._stored |= _tower(vision)
        self._stored = {name: stored for name, stored in self._stored.items() if not BUFFERS.fullmatch(name)}

    def check(self, shapes: Mapping[str, tuple[int, ...]], *, num_rows: int) -> None:
        """Compares what is there with what a model needs.

        Args:
            shapes: of all its weights, under the hub's names.
            num_rows: of embeddings and head as config.json has them; the image token may come on top.

        Raises:
            UsageError: a weight is missing, left over or of another shape.
        """
        needed = {llava_name(name): shape for name, shape in shapes.items()}
        adapted = set(self.adapter.factors) if self.adapter else set()
        _refuse("lacks", [name for name in needed if name not in self._stored], hint=_tower_hint)
        _refuse("has no place for", [name for name in self._stored if name not in needed])
        _refuse("has an adapter for unknown", [name for name in adapted if name not in needed])
        for name, shape in needed.items():
            expected = (num_rows, *shape[1:]) if name in VOCABULARY else shape
            found = {
                self._stored[name].shape,
                *([self.adapter.shape(name)] if self.adapter and name in adapted else []),
            }
            if found != {expected}:
                raise UsageError(
                    f"{name} must be {expected} by config.json, got {' and '.join(map(str, found - {expected}))}; "
                    "give the config.json, base and adapter that belong together"
                )

    def read(self, name: str) -> "torch.Tensor":
        """One weight, its adapter merged."""
        weight = self._stored[name].read()
        return self.adapter.merge(name, weight) if self.adapter else weight


def target_shapes(config: "LlavaConfig") -> dict[str, tuple[int, ...]]:
    """Shapes of all weights of a model, under the hub's names; no memory is taken."""
    import torch
    from transformers import LlavaForConditionalGeneration

    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    return {
        hub_name(name): tuple(value.shape)
        for name, value in model.state_dict().items()
        if not (name == "lm_head.weight" and config.tie_word_embeddings)
    }


def _tower(folder: Path) -> dict[str, StoredTensor]:
    """The vision tower of a CLIP model, under LLaVA's names."""
    stored = {name: value for name, value in read_folder(folder).items() if not CLIP_REST.fullmatch(name)}
    return {TOWER_PREFIX + name.removeprefix("vision_model."): value for name, value in stored.items()}


def _tower_hint(names: Sequence[str]) -> str:
    if all(name.startswith(TOWER_PREFIX) for name in names):
        return "give the CLIP model with vision=DIR"
    return "copy the checkpoint again"


def _refuse(what: str, names: list[str], *, hint: Callable[[Sequence[str]], str] | None = None) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise UsageError(
            f"the checkpoint {what} {', '.join(names[:3])}{more}; "
            f"{hint(names) if hint else 'is it really of LLaVA 1.x layout?'}"
        )
