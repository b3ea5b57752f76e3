"""The engine's stages in their order, and the actor that runs them on a block of images."""

import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from pancap.engine.config import EngineConfig
from pancap.engine.rows import KEPT_ROW_SCHEMA, with_schema
from pancap.engine.stages.agree import AgreeStage
from pancap.engine.stages.base import Stage, check_stages
from pancap.engine.stages.caption import CaptionStage, VerifyStage
from pancap.engine.stages.curate import CurateStage
from pancap.engine.stages.ground import GroundStage
from pancap.engine.stages.load import LoadStage
from pancap.engine.stages.merge import MergeStage
from pancap.engine.stages.propose import ProposeStage
from pancap.engine.stages.tag import TagStage

StageBuilder = Callable[[EngineConfig], list[Stage]]

SOURCE_COLUMNS = ("image_id", "uri", "error")


def build_stages(config: EngineConfig) -> list[Stage]:
    """The stages with their models loaded.

    Raises:
        UsageError: a name of the configuration is not known, or a model's weights are missing.
    """
    from pancap.engine import registry

    proposer = registry.load_proposer(config.proposer)
    return [
        LoadStage(),
        ProposeStage(proposer),
        TagStage(
            registry.load_tagger(config.tagger),
            source=getattr(proposer, "name", config.proposer),
            same_tag_max_iou=config.same_tag_max_iou,
        ),
        GroundStage([registry.load_grounder(name) for name in config.grounders], ground_for=config.ground_for),
        MergeStage(max_iou=config.join_max_iou),
        CaptionStage(registry.load_captioner(config.captioner)),
        VerifyStage(registry.load_captioner(config.verifier), max_iou=config.join_max_iou),
        AgreeStage(encoder=config.encoder),
        CurateStage(min_agreement=config.min_agreement, max_entities=config.max_entities),
    ]


class EngineActor:
    """All stages in one process: images are decoded once and no pixels leave it.

    One image takes tens of milliseconds here, so stages in processes of their own would spend more time on handing
    pictures over than on looking at them.

    Args:
        config: of the run.
        provenance: JSON, written into every row.
        build: makes the stages; `build_stages` unless a caller brings its own models.
    """

    def __init__(self, config: EngineConfig, provenance: str, build: StageBuilder = build_stages) -> None:
        """Loads the models; one thread each, since every core has an actor."""
        self._config = config
        self._provenance = provenance
        self._stages = build(config)
        check_stages([type(stage) for stage in self._stages], columns=SOURCE_COLUMNS)
        if torch := sys.modules.get("torch"):  # the models that are not torch's should not have to load it
            torch.set_num_threads(1)

    def __call__(self, table: pa.Table) -> pa.Table:
        """The rows of a block with all their columns."""
        size = self._config.batch_size
        parts = [self._process(table.slice(start, size)) for start in range(0, len(table), size)]
        return pa.concat_tables(parts) if parts else with_schema(table, KEPT_ROW_SCHEMA)

    def _process(self, table: pa.Table) -> pa.Table:
        constants: dict[str, Any] = {"split": self._config.split, "provenance": self._provenance}
        table = table.select(["image_id", "uri"]).append_column("error", pa.nulls(len(table), pa.string()))
        for name, value in constants.items():
            table = table.append_column(name, pa.array([value] * len(table), type=pa.string()))
        for stage in self._stages:
            table = stage.process_batch(table)
        return with_schema(table, KEPT_ROW_SCHEMA)
