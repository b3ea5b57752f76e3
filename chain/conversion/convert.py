"""The conversion: plans every weight before it writes one, then writes shard by shard."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.config import ChainMode
from pancap.chain.conversion.config import ConvertConfig, Family
from pancap.chain.conversion.lora import CONFIG_FILE, Adapter, read_adapter
from pancap.chain.conversion.names import BUFFERS, CLIP_REST, TOWER_PREFIX, llava_name, trainable_name
from pancap.chain.conversion.settings import read_settings, text_config, vision_config
from pancap.chain.conversion.tensors import StoredTensor, read_file, read_folder
from pancap.chain.conversion.tokenizer import read_tokenizer
from pancap.chain.export import hub_name, processor_config
from pancap.chain.model import CheckpointMeta, write_meta
from pancap.chain.shards import write_weights
from pancap.chain.tokenizer import IMAGE
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import LlavaConfig, PreTrainedTokenizerFast

Progress = Callable[[str, int, int | None], None]

TRAINABLES_FILE = "non_lora_trainables.bin"
EMBEDDINGS = "model.embed_tokens.weight"
VOCABULARY_ROWS = (EMBEDDINGS, "lm_head.weight")
MODES: dict[Family, ChainMode] = {"asmv2": "chain", "llava": "one_stage"}


@dataclass(frozen=True, kw_only=True)
class ConvertSummary:
    """What a conversion wrote.

    Args:
        out: folder of the checkpoint.
        num_parameters: of the model, the new image token's rows counted.
        num_files: weight files.
        num_bytes: of the weight files.
        num_merged: weights that an adapter was added to.
        storage: type of the weights.
    """

    out: str
    num_parameters: int
    num_files: int
    num_bytes: int
    num_merged: int
    storage: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A few lines for a terminal."""
        return (
            f"wrote {self.out}: {self.num_parameters / 1e6:,.1f}M parameters, {self.storage}, "
            f"{self.num_bytes / 1e9:.2f} GB in {self.num_files} files\n"
            f"adapted weights merged: {self.num_merged}"
        )


def convert(config: ConvertConfig, *, family: Family, on_progress: Progress | None = None) -> ConvertSummary:
    """Writes a checkpoint in LLaVA 1.x layout as one that this chain, transformers and vLLM read.

    In memory at a time: one shard of the result (of it only what changes: another type, merged adapters), and one
    weight with its adapter in float32.

    Args:
        config: where from and where to.
        family: `asmv2` (and PancapChain) answers the four stages, `llava` is asked for one caption.
        on_progress: called with (what, done, total).

    Raises:
        UsageError: source is no such checkpoint, is damaged, or holds more or less than the model needs.
        OSError: out cannot be written.
    """
    folder = Path(config.out)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give another folder with out=DIR")
    source, base = Path(config.source), Path(config.base or config.source)
    raw = read_settings(source)
    tokenizer = read_tokenizer(base)
    weights = LlavaWeights(source=source, base=base, vision=Path(config.vision) if config.vision else None)
    settings = _llava_config(raw, tokenizer=tokenizer, vision=config.vision)
    shapes = target_shapes(settings)
    weights.check(shapes, num_rows=raw["vocab_size"])
    dtype = weights.read(EMBEDDINGS).dtype if config.storage == "source" else _dtype(config.storage)
    settings.dtype = dtype
    folder.mkdir(parents=True, exist_ok=True)
    num_done = 0

    def read(name: str) -> "torch.Tensor":
        nonlocal num_done
        num_done += 1
        if on_progress:
            on_progress("weights", num_done, len(shapes))
        weight = weights.read(llava_name(name)).to(dtype)
        if llava_name(name) in VOCABULARY_ROWS:
            weight = _with_image_row(weight, tokenizer=tokenizer, num_rows=shapes[name][0])
        return weight.contiguous()

    sizes = {name: math.prod(shape) * dtype.itemsize for name, shape in shapes.items()}
    files = write_weights(folder, sizes=sizes, read=read, max_bytes=config.shard_bytes)
    settings.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_processor(settings), indent=2) + "\n")
    summary = ConvertSummary(
        out=str(folder),
        num_parameters=sum(math.prod(shape) for shape in shapes.values()),
        num_files=len(files),
        num_bytes=sum(file.stat().st_size for file in files),
        num_merged=len(weights.adapter.factors) if weights.adapter else 0,
        storage=str(dtype).removeprefix("torch."),
    )
    provenance = {"converted_from": source.name, "family": family, "base": base.name, "merged": summary.num_merged}
    write_meta(
        folder,
        CheckpointMeta(
            coordinates="text", mode=MODES[family], layout="vicuna", resample="bicubic", provenance=provenance
        ),
    )
    return summary


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

    def check(self, shapes: dict[str, tuple[int, ...]], *, num_rows: int) -> None:
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
            expected = (num_rows, *shape[1:]) if name in VOCABULARY_ROWS else shape
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


def _llava_config(raw: dict[str, Any], *, tokenizer: "PreTrainedTokenizerFast", vision: str | None) -> "LlavaConfig":
    from transformers import LlavaConfig

    text = text_config(raw)
    tower = vision_config(raw, folder=Path(vision) if vision else None)
    image = int(tokenizer.convert_tokens_to_ids(IMAGE))
    if image > text.vocab_size:
        raise UsageError(
            f"the tokenizer has {image} tokens, the model {text.vocab_size}; copy the tokenizer that belongs to it"
        )
    text.vocab_size = max(text.vocab_size, image + 1)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    for name, value in special.items():
        setattr(text, name, value)
    return LlavaConfig(
        architectures=["LlavaForConditionalGeneration"],
        vision_config=tower,
        text_config=text,
        image_token_index=image,
        vision_feature_layer=raw.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        image_seq_length=(tower.image_size // tower.patch_size) ** 2,
        tie_word_embeddings=text.tie_word_embeddings,
        **special,
    )


def _with_image_row(weight: "torch.Tensor", *, tokenizer: "PreTrainedTokenizerFast", num_rows: int) -> "torch.Tensor":
    """Adds the image token as a copy of the unknown token, which no text holds: greedy decoding never chooses it."""
    import torch

    image, unknown = int(tokenizer.convert_tokens_to_ids(IMAGE)), int(tokenizer.unk_token_id)
    rows = torch.arange(num_rows)
    rows[image] = unknown
    return weight[rows]


def _tower(folder: Path) -> dict[str, StoredTensor]:
    """The vision tower of a CLIP model, under LLaVA's names."""
    stored = {name: value for name, value in read_folder(folder).items() if not CLIP_REST.fullmatch(name)}
    return {TOWER_PREFIX + name.removeprefix("vision_model."): value for name, value in stored.items()}


def _processor(config: "LlavaConfig") -> dict[str, object]:
    tower = config.vision_config
    return processor_config(tower.image_size, patch_px=tower.patch_size, resample="bicubic")


def _dtype(storage: str) -> "torch.dtype":
    import torch

    dtype: torch.dtype = getattr(torch, storage)
    return dtype


def _tower_hint(names: Iterable[str]) -> str:
    if all(name.startswith(TOWER_PREFIX) for name in names):
        return "give the CLIP model with vision=DIR"
    return "copy the checkpoint again"


def _refuse(what: str, names: list[str], *, hint: Callable[[Iterable[str]], str] | None = None) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise UsageError(
            f"the checkpoint {what} {', '.join(names[:3])}{more}; "
            f"{hint(names) if hint else 'is it really of LLaVA 1.x layout?'}"
        )
