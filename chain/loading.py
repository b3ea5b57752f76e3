"""From the settings of a captioning run to a captioner over the backend that they name."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pancap.chain.backends.generator import GeneratorBackend
from pancap.chain.captioner import Captioner, load_captioner
from pancap.chain.config import CaptionConfig, ChainMode
from pancap.llm.config import GeneratorConfig

if TYPE_CHECKING:
    from pancap.chain.dialects import Dialect

BOX_PROCESSOR = "pancap.chain.backends.vllm_boxes:BoxProcessor"


@contextmanager
def open_captioner(config: CaptionConfig) -> Iterator[Captioner]:
    """The captioner of a run; its engine or connections are given back at the end.

    Raises:
        UsageError: no such checkpoint, or settings that cannot be meant.
    """
    if config.backend == "transformers":
        yield load_captioner(
            config.checkpoint, batch_size=config.batch_size, mode=config.mode, decoding=config.decoding
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
    return config.backend == "transformers" or (checkpoint_folder(config.checkpoint) / META_FILE).is_file()


def describe_run(config: CaptionConfig, *, mode: ChainMode) -> dict[str, Any]:
    """What decides the captions of an image, for run.json; where the work is done and how fast does not count."""
    decoding = {f"decoding.{name}": value for name, value in asdict(config.decoding).items() if "draft" not in name}
    run = {"kind": "captions", "checkpoint": config.checkpoint, "mode": mode, **decoding}
    if is_checkpoint(config):
        run["checkpoint"] = _digest(config.checkpoint)
    else:
        from pancap.chain.prompts import PROMPTS

        asked = config.prompting.prompts
        texts = "" if asked == "trained" else json.dumps(PROMPTS[asked])
        run |= {f"prompting.{name}": value for name, value in asdict(config.prompting).items()}
        run["prompting.texts"] = hashlib.sha256(texts.encode()).hexdigest()[:12]
    if config.backend == "openai":
        run |= {"backend": "openai", "endpoint.body": json.dumps(config.endpoint.body, sort_keys=True)}
    elif config.backend in ("vllm", "ray"):
        from pancap.llm.in_process import vllm_identity

        run |= {"backend": "vllm", "vllm": vllm_identity("", config.vllm)}
    return run


def _load_checkpoint(config: CaptionConfig, stack: ExitStack) -> Captioner:
    """A chain's checkpoint in vLLM: a converted one as it is, others written in vLLM's layout while the run lasts."""
    from pancap.chain.dialects import TrainedDialect
    from pancap.chain.model import checkpoint_folder, read_meta

    folder = checkpoint_folder(config.checkpoint)
    meta = read_meta(folder)
    dialect = TrainedDialect(
        coordinates=meta.coordinates,
        image_px=json.loads((folder / "config.json").read_text())["vision_config"]["image_size"],
        resample=meta.resample,
        has_rules=True,
    )
    if not is_in_vllm_layout(folder):
        target = Path(stack.enter_context(TemporaryDirectory(prefix="pancap-vllm-")))
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
    backend = _backend(config, model=config.checkpoint, dialect=dialect)
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


def _digest(checkpoint: str) -> str:
    """Of a checkpoint's meta file and weights."""
    from pancap.chain.model import META_FILE, checkpoint_folder
    from pancap.chain.shards import weight_files

    folder = checkpoint_folder(checkpoint)
    digest = hashlib.sha256((folder / META_FILE).read_bytes())
    for file in weight_files(folder):
        with file.open("rb") as weights:
            digest.update(hashlib.file_digest(weights, "sha256").digest())
    return digest.hexdigest()[:16]
