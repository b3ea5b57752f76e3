"""`pancap config`: every setting of a verb, its default and its meaning."""

import ast
import inspect
import itertools
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from pathlib import Path

from pancap.configs import UsageError, preset_names

SCHEMAS = {
    "scenes": "pancap.engine.scenes.config:ScenesConfig",
    "engine": "pancap.engine.config:EngineConfig",
    "chain": "pancap.chain.training.config:TrainConfig",
    "vision": "pancap.chain.training.config:VisionTrainConfig",
    "language": "pancap.chain.training.config:LanguageTrainConfig",
    "detectors": "pancap.engine.detectors.config:DetectorTrainConfig",
    "caption": "pancap.chain.config:CaptionConfig",
    "weights": "pancap.chain.conversion.config:ConvertConfig",
    "store": "pancap.chain.conversion.config:StoreConfig",
    "score": "pancap.scoring.config:ScoreConfig",
    "serve": "pancap.platform.serving.config:ServeConfig",
    "judge": "pancap.scoring.judges.llm.bench:JudgeBenchConfig",
    "training": "pancap.chain.bench.training:TrainingBenchConfig",
    "decoding": "pancap.chain.bench.chain:ChainBenchConfig",
    "stages": "pancap.platform.stage_bench:StageBenchConfig",
    "experiment": "pancap.platform.experiment:ExperimentConfig",
    "quickstart": "pancap.platform.quickstart:QuickstartConfig",
}


def run(*, verb: str | None) -> None:
    """Prints the settings of one verb, or the verbs and presets."""
    if verb is None:
        print(f"verbs: {', '.join(SCHEMAS)}\npresets: {', '.join(preset_names())}")
        return
    if verb not in SCHEMAS:
        raise UsageError(f"{verb} has no settings; choose one of {', '.join(SCHEMAS)}")
    module, _, name = SCHEMAS[verb].partition(":")
    print("\n".join(describe(getattr(import_module(module), name))))


def describe(schema: type, *, prefix: str = "") -> list[str]:
    """One line a setting, nested ones dotted: name, default, the docstring line under the field."""
    notes = _field_notes(schema)
    lines = []
    for field in fields(schema):
        if is_dataclass(field.type) and isinstance(field.type, type):
            lines += describe(field.type, prefix=f"{prefix}{field.name}.")
        else:
            lines.append(f"{prefix}{field.name}={_default(field)}  # {notes.get(field.name, '')}".rstrip(" #"))
    return lines


def _default(field: "Field[object]") -> str:
    if field.default is not MISSING:
        return "???" if field.default == "???" else str(field.default)
    return str(field.default_factory()) if field.default_factory is not MISSING else "???"


def _field_notes(schema: type) -> dict[str, str]:
    notes: dict[str, str] = {}
    for base in filter(is_dataclass, reversed(schema.__mro__)):
        notes |= _own_field_notes(base)
    return notes


def _own_field_notes(schema: type) -> dict[str, str]:
    tree = ast.parse(Path(inspect.getfile(schema)).read_text(encoding="utf-8"))
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == schema.__name__)
    notes = {}
    for field, note in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            notes[ast.unparse(field.target)] = " ".join(str(note.value.value).split())
    return notes
