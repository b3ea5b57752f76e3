"""From the settings of a captioning run to a captioner over the backend that they name."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from pancap.chain.backends.generator import GeneratorBackend
from pancap.chain.captioner import Captioner, load_captioner
from pancap.chain.config import CaptionConfig, ChainMode
from pancap.llm.config import GeneratorConfig

if TYPE_CHECKING:
    from pancap.chain.dialects import Dialect
    from pancap.chain.model import StorageType

BOX_PROCESSOR = "pancap.chain.backends.vllm_boxes:BoxProcessor"
# Weights, settings and tokenizers of any model that vLLM loads.
_MODEL_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".gguf", ".json", ".jinja", ".model"})


@contextmanager
def open_captioner(config: CaptionConfig) -> Iterator[Captioner]:
    """The captioner of a run; its engine or connections are given back at the end.

    Raises:
        UsageError: no such checkpoint, or settings that cannot be meant.
    """
    if config.backend == "transformers":
        device, dtype = _placement(config)
        yield load_captioner(
            config.model,
            batch_size=config.batch_size,
            mode=config.mode,
            decoding=config.decoding,
            device=device,
            dtype=dtype,
        )
        return
    with ExitStack() as stack:
        if is_checkpoint(config):
            yield _load_checkpoint(config, stack)
        else:
            yield _load_other(config, stack)


def is_checkpoint(config: CaptionConfig) -> bool:
    """The model is a chain's checkpoint (a folder with pancap.json, or a shipped one), no other model."""
    from pancap.chain.model import META_FILE, checkpoint_folder

    if config.backend == "openai":
        return False
    return config.backend == "transformers" or (checkpoint_folder(config.model) / META_FILE).is_file()


def describe_run(config: CaptionConfig, *, mode: ChainMode) -> dict[str, Any]:
    """What decides the captions of an image, for run.json; where the work is done and how fast does not count.

    Settings that may hold a secret (a token in a request's body, say) are there as a hash.
    """
    decoding = {f"decoding.{name}": value for name, value in asdict(config.decoding).items() if "draft" not in name}
    run = {"kind": "captions", "model": _model_identity(config), "mode": mode, **decoding}
    if not is_checkpoint(config):
        asked = asdict(config.prompting)
        asked |= {"system_sha256": _hash(asked.pop("system")), "texts": _hash(_sample_prompts(config, mode=mode))}
        run |= {f"prompting.{name}": value for name, value in asked.items()}
    if config.backend == "transformers":
        run |= {"dtype": _placement(config)[1]}
    elif config.backend == "openai":
        run |= {"backend": "openai", "endpoint.body_sha256": _hash(config.endpoint.body)}
    else:
        from pancap.llm.in_process import vllm_identity

        run |= {"backend": "vllm", "vllm_sha256": _hash(vllm_identity("", config.vllm))}
    return run


def _placement(config: CaptionConfig) -> "tuple[Literal['cpu', 'cuda'], StorageType]":
    from pancap.chain.placement import choose_device, choose_dtype

    device = choose_device(config.device)
    return device, choose_dtype(config.dtype, device=device, checkpoint=config.model)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _sample_prompts(config: CaptionConfig, *, mode: ChainMode) -> list[str]:
    """The prompts of a made-up image: all texts and forms that those of any image are put together from."""
    import numpy as np

    from pancap.caption.boxes import Box
    from pancap.chain.boxtokens import Instance
    from pancap.chain.dialects import dialect_of
    from pancap.chain.stages import STAGES_OF_MODE, ChainState

    box = Box(0.1, 0.2, 0.3, 0.4)
    state = ChainState(boxes=(box,), instances=(Instance(tag="tree", box=box),))
    dialect = dialect_of(config.prompting, has_rules=False)
    codec = dialect.codec(np.zeros((600, 800, 3), np.uint8))
    return [dialect.prompt(stage, state, codec=codec) for stage in STAGES_OF_MODE[mode]]


def _load_checkpoint(config: CaptionConfig, stack: ExitStack) -> Captioner:
    """A chain's checkpoint in vLLM: a converted one as it is, others written in vLLM's layout while the run lasts."""
    from pancap.chain.dialects import TrainedDialect
    from pancap.chain.model import checkpoint_folder, read_meta

    folder = checkpoint_folder(config.model)
    meta = read_meta(folder)
    dialect = TrainedDialect(
        coordinates=meta.coordinates,
        image_px=json.loads((folder / "config.json").read_text())["vision_config"]["image_size"],
        resample=meta.resample,
        has_rules=True,
    )
    if not is_in_vllm_layout(folder):
        out = Path(config.out).resolve()  # Ray's other nodes see no temporary folder of this one
        out.mkdir(parents=True, exist_ok=True)
        target = Path(stack.enter_context(TemporaryDirectory(prefix=".vllm-", dir=out)))
        folder = _export(folder, to=target, dtype=config.vllm.dtype)
    return Captioner(
        stack.enter_context(closing(_backend(config, model=str(folder), dialect=dialect))),
        mode=meta.mode if config.mode == "checkpoint" else config.mode,
        same_tag_max_iou=config.decoding.same_tag_max_iou if meta.refines_boxes else 1.0,
        has_own_boxes=meta.refines_captions and config.decoding.enable_refinement,
    )


def is_in_vllm_layout(folder: Path) -> bool:
    """Its weights have the names of the hub, not those in memory that training writes."""
    from safetensors import safe_open

    from pancap.chain.shards import weight_files

    with safe_open(weight_files(folder)[0], framework="numpy") as file:
        names: list[str] = list(file.keys())
    return not any(name.startswith("model.") for name in names)


def _export(folder: Path, *, to: Path, dtype: str) -> Path:
    from pancap.chain.export import export_for_vllm
    from pancap.chain.layouts import LAYOUTS, chat_template
    from pancap.chain.model import load_checkpoint

    checkpoint = load_checkpoint(folder, dtype="bfloat16" if dtype == "bfloat16" else "float32")
    export_for_vllm(checkpoint, directory=to)
    (to / "chat_template.jinja").write_text(chat_template(LAYOUTS[checkpoint.meta.layout]))
    return to


def _load_other(config: CaptionConfig, stack: ExitStack) -> Captioner:
    """A model that the settings say how to ask."""
    from pancap.chain.dialects import dialect_of
    from pancap.chain.prompts import check_prompts

    asked = config.prompting.prompts
    default: ChainMode = "one_stage" if asked in ("A", "B") else "chain"
    mode = default if config.mode == "checkpoint" else config.mode
    if asked != "trained":
        check_prompts(asked, mode)
    dialect = dialect_of(config.prompting, has_rules=config.backend != "openai")
    backend = _backend(config, model=config.model, dialect=dialect)
    return Captioner(stack.enter_context(closing(backend)), mode=mode)


def _backend(config: CaptionConfig, *, model: str, dialect: "Dialect") -> GeneratorBackend:
    """The generator of a backend; vLLM's engine gets the processor that holds boxes to their rules."""
    from pancap.llm.loading import load_generator

    if config.backend == "ray":
        from pancap.llm.ray_data import check_image_stage

        check_image_stage()
    vllm = config.vllm
    if dialect.has_rules and config.decoding.enable_constraints:
        processors = [*vllm.engine.get("logits_processors", ()), BOX_PROCESSOR]
        vllm = replace(vllm, engine={**vllm.engine, "logits_processors": processors})
    where: Any = "endpoint" if config.backend == "openai" else config.backend
    generator = load_generator(GeneratorConfig(backend=where, model=model, endpoint=config.endpoint, vllm=vllm))
    return GeneratorBackend(generator, dialect=dialect, decoding=config.decoding)


def _model_identity(config: CaptionConfig) -> str:
    """A digest of a local model's description and weights; the name of one that an endpoint or the hub knows."""
    from pancap.chain.model import META_FILE, checkpoint_folder
    from pancap.chain.shards import weight_files

    model = checkpoint_folder(config.model)
    if config.backend == "openai" or not model.exists():
        return config.model
    if is_checkpoint(config):
        digest, files = hashlib.sha256((model / META_FILE).read_bytes()), weight_files(model)
    else:
        inside = sorted(model.iterdir()) if model.is_dir() else [model]
        digest, files = hashlib.sha256(), [file for file in inside if file.suffix in _MODEL_SUFFIXES]
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
