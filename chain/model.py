"""The chain's model: transformers' LLaVA, its checkpoints on disk (`chain.decoding` runs its layers itself)."""

import dataclasses
import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pancap.chain.config import ChainMode, Coordinates, ModelConfig
from pancap.chain.images import RESAMPLE_CODES, Resample, preprocessor_config
from pancap.chain.layouts import LAYOUTS, LayoutName
from pancap.chain.shards import weight_files, write_weights
from pancap.chain.tokenizer import encode_prefix, token_ids
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import CLIPVisionConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast

META_FILE = "pancap.json"
META_FORMAT = 1
INIT_STD = 0.02
# Of token embeddings: as small as the rest they would drown in what the first layer adds to them, and a model that
# cannot tell its tokens apart is slow to learn to repeat them (docs/LOG.md).
EMBEDDING_STD = 0.05
# While transformers loads a model it replaces a method of all models; two loads at once leave the replacement for good.
_LOADING = threading.Lock()
POSITION_STD = 0.5
StorageType = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class CheckpointMeta:
    """What a checkpoint folder says of itself, in pancap.json.

    Args:
        coordinates: how its boxes are spelled.
        mode: the stages it was trained for.
        layout: the texts around image, prompt and answer.
        resample: how images are resized.
        refines_boxes: its tag stage was trained to correct the boxes it is given.
        refines_captions: its caption stage was trained on wrong instances, and places every box itself.
        provenance: JSON-ready facts: data, steps, seed, versions, scores.
    """

    coordinates: Coordinates
    mode: ChainMode
    layout: LayoutName = "plain"
    resample: Resample = "bilinear"
    refines_boxes: bool = False
    refines_captions: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model ready to run, with its tokenizer."""

    model: "LlavaForConditionalGeneration"
    tokenizer: "PreTrainedTokenizerFast"
    meta: CheckpointMeta

    @property
    def image_px(self) -> int:
        """Side of the vision tower's input."""
        return int(self.model.config.vision_config.image_size)

    @property
    def prefix_ids(self) -> list[int]:
        """Ids of the prefix that all stages share."""
        return encode_prefix(self.tokenizer, num_image_tokens=num_image_tokens(self.model), layout=self.meta.layout)


def build_model(
    config: ModelConfig, *, tokenizer: "PreTrainedTokenizerFast", seed: int = 0
) -> "LlavaForConditionalGeneration":
    """A LLaVA model with random weights, float32, in training mode.

    Coordinate tokens start on a smooth curve, so that neighbouring coordinates are alike from the first step.
    """
    import torch
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    named = token_ids(tokenizer)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.text_hidden,
        intermediate_size=config.text_mlp,
        num_hidden_layers=config.text_layers,
        num_attention_heads=config.text_heads,
        num_key_value_heads=config.text_heads,
        max_position_embeddings=config.max_positions,
        initializer_range=INIT_STD,
        tie_word_embeddings=True,
        pad_token_id=named.pad,
        bos_token_id=named.bos,
        eos_token_id=named.eos,
    )
    llava = LlavaConfig(
        vision_config=vision_config(config),
        text_config=text,
        image_token_index=named.image,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=config.num_image_tokens,
        tie_word_embeddings=True,
        pad_token_id=named.pad,
        bos_token_id=named.bos,
        eos_token_id=named.eos,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(llava)
        wave_positions(model.model.vision_tower)
        model.get_input_embeddings().weight.data.mul_(EMBEDDING_STD / INIT_STD)
        if named.coordinates:
            _smooth_coordinates(model.get_input_embeddings().weight, named.coordinates)
    return model


def vision_config(config: ModelConfig) -> "CLIPVisionConfig":
    """The vision tower's sizes in transformers' terms."""
    from transformers import CLIPVisionConfig

    return CLIPVisionConfig(
        hidden_size=config.vision_hidden,
        intermediate_size=config.vision_mlp,
        num_hidden_layers=config.vision_layers,
        num_attention_heads=config.vision_heads,
        image_size=config.image_px,
        patch_size=config.patch_px,
        projection_dim=config.vision_hidden,
        hidden_act="gelu",
    )


def wave_positions(tower: "torch.nn.Module") -> None:
    """Starts a vision tower's position embeddings on sines of row and column, as strong as the patches themselves.

    CLIP's own start (noise of 0.02 beside patch embeddings of about 1) hides where a patch is: after 11,500 scenes
    rows had been learned, columns not at all (variance 2.67 against 0.02), and with them no box's x.
    """
    import torch

    weight = tower.get_parameter("embeddings.position_embedding.weight")
    grid, width = math.isqrt(len(weight) - 1), weight.shape[1]
    wavelengths = torch.logspace(math.log10(2.5), math.log10(4.0 * grid), width // 4)
    phases = torch.arange(grid).unsqueeze(1) * (2 * math.pi / wavelengths)
    waves = torch.cat([phases.sin(), phases.cos()], dim=1)
    rows, columns = waves.repeat_interleave(grid, dim=0), waves.repeat(grid, 1)
    with torch.no_grad():
        weight[1:, : 2 * waves.shape[1]] += POSITION_STD * math.sqrt(2) * torch.cat([rows, columns], dim=1)


def image_features(model: "LlavaForConditionalGeneration", pixel_values: "torch.Tensor") -> "torch.Tensor":
    """Image tokens of the language model, (N, patches, text_hidden): vision tower, then projector."""
    inner = model.model
    pixel_values = pixel_values.to(inner.vision_tower.dtype)
    outputs = inner.vision_tower(pixel_values=pixel_values, output_hidden_states=True)
    states = outputs.hidden_states[model.config.vision_feature_layer]
    return inner.multi_modal_projector(states[:, 1:])


def num_image_tokens(model: "LlavaForConditionalGeneration") -> int:
    """Patches of one image."""
    vision = model.config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2)


def save_checkpoint(
    model: "LlavaForConditionalGeneration",
    *,
    tokenizer: "PreTrainedTokenizerFast",
    directory: str | Path,
    meta: CheckpointMeta,
    storage: StorageType = "float32",
    weights: "Mapping[str, torch.Tensor] | None" = None,
) -> Path:
    """Writes a checkpoint as a Hugging Face folder plus pancap.json (written last: its presence means complete).

    A head that shares its weights with the embeddings is not written.

    Args:
        model: any dtype.
        tokenizer: the one it was built with.
        directory: created if absent; files of an earlier checkpoint are replaced.
        meta: what to record.
        storage: dtype of the file; half of float32's size is enough for a finished model.
        weights: to write instead of the model's own, under its names.
    """
    import torch

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / META_FILE).unlink(missing_ok=True)
    dtype = getattr(torch, storage)
    kept = {
        name: value.detach()
        for name, value in (model.state_dict() if weights is None else weights).items()
        if value.is_floating_point() and not (name == "lm_head.weight" and model.config.tie_word_embeddings)
    }
    write_weights(
        folder,
        sizes={name: value.numel() * dtype.itemsize for name, value in kept.items()},
        read=lambda name: kept[name].to("cpu", dtype).contiguous(),
    )
    model.config.architectures = ["LlavaForConditionalGeneration"]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = preprocessor_config(model.config.vision_config.image_size, resample=meta.resample)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    write_meta(folder, meta)
    return folder


def write_meta(folder: Path, meta: CheckpointMeta) -> None:
    """Writes pancap.json, which makes a folder a checkpoint."""
    record = {"format": META_FORMAT, **dataclasses.asdict(meta)}
    (folder / META_FILE).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def load_checkpoint(directory: str | Path, *, dtype: StorageType = "float32") -> Checkpoint:
    """Reads a checkpoint, in evaluation mode. Only safetensors are read, and no code of the checkpoint.

    Args:
        directory: folder, or the name of a shipped checkpoint (`nano`, `nano_one_stage`).
        dtype: of the model in memory.

    Raises:
        UsageError: the folder does not exist, is not a checkpoint of a chain, or is damaged.
    """
    with _LOADING:
        return _load(checkpoint_folder(directory), dtype=dtype)


def _load(folder: Path, *, dtype: StorageType) -> Checkpoint:
    meta = read_meta(folder)  # before imports that take seconds: a wrong path is told at once
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        token_ids(tokenizer)
        weight_files(folder)
        model, found = LlavaForConditionalGeneration.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise UsageError(
            f"the checkpoint {folder} cannot be read: {_first_line(error)}; train or copy it again"
        ) from error
    wrong = sorted([*found["missing_keys"], *found["unexpected_keys"]])
    if wrong:
        raise UsageError(
            f"the checkpoint {folder} does not hold this model's weights ({', '.join(wrong[:3])}); "
            "train or copy it again"
        )
    return Checkpoint(model=model.eval(), tokenizer=tokenizer, meta=meta)


def checkpoint_folder(name: str | Path) -> Path:
    """The folder of a checkpoint that comes with the package, by its name; any other text is a path."""
    shipped = Path(__file__).parent / "weights" / name
    return shipped if not Path(name).exists() and shipped.is_dir() else Path(name)


def read_image_px(directory: str | Path) -> int:
    """Side of the vision tower's input, of a checkpoint folder."""
    config = json.loads((Path(directory) / "config.json").read_text())
    return int(config["vision_config"]["image_size"])


def read_meta(directory: str | Path) -> CheckpointMeta:
    """What pancap.json of a checkpoint folder says.

    Raises:
        UsageError: no such folder, no pancap.json in it, or one that cannot be read.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise UsageError(f"checkpoint {folder} does not exist; give the folder that pancap train wrote")
    path = folder / META_FILE
    if not path.is_file():
        raise UsageError(
            f"{folder} is not a pancap checkpoint, it has no {META_FILE}; give OUT/checkpoint of pancap train"
        )
    try:
        record = json.loads(path.read_text())
        if record["format"] != META_FORMAT or record["coordinates"] not in ("tokens", "text"):
            raise ValueError(f"unknown format {record['format']} or coordinates {record['coordinates']}")
        layout, resample = record.get("layout", "plain"), record.get("resample", "bilinear")
        for name, value, known in (
            ("mode", record["mode"], get_args(ChainMode)),
            ("layout", layout, LAYOUTS),
            ("resample", resample, RESAMPLE_CODES),
        ):
            if value not in known:
                raise ValueError(f"unknown {name} {value}")
        return CheckpointMeta(
            coordinates=record["coordinates"],
            mode=record["mode"],
            layout=layout,
            resample=resample,
            refines_boxes=bool(record.get("refines_boxes", False)),
            refines_captions=bool(record.get("refines_captions", False)),
            provenance=dict(record.get("provenance") or {}),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {_first_line(error)}; train or copy the checkpoint again") from error


def _smooth_coordinates(weight: "torch.Tensor", rows: range) -> None:
    """Coordinate embeddings: sines of the value at wavelengths from 8 to 4000 units, mixed at random, plus noise."""
    import torch

    num, width = len(rows), weight.shape[1]
    wavelengths = torch.logspace(math.log10(8.0), math.log10(4000.0), 32)
    phases = torch.arange(num).unsqueeze(1) * (2 * math.pi / wavelengths)
    features = torch.cat([phases.sin(), phases.cos()], dim=1)
    curve = features @ torch.randn(features.shape[1], width) / math.sqrt(features.shape[1] / 2)
    with torch.no_grad():
        weight[rows.start : rows.stop] = EMBEDDING_STD * (curve + 0.5 * torch.randn(num, width))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
