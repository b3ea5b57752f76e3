"""A tiny dataset: coloured squares on grey, with captions."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pancap.caption.arrow import content_to_row, content_type
from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity
from pancap.chain.config import Coordinates, ModelConfig

if TYPE_CHECKING:
    import torch

    from pancap.chain.model import Checkpoint

COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
SIZE_PX = 64


def write_dataset(folder: Path, num: int, seed: int = 0) -> Path:
    """Writes `num` pictures of one to four coloured squares, and their parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    rows = []
    for index in range(num):
        rng = Random(seed * 1000 + index)
        rgb = np.full((SIZE_PX, SIZE_PX, 3), 128, np.uint8)
        entities, attributes = [], []
        for number in range(1, rng.randint(2, 5)):
            x, y, side = rng.randrange(40), rng.randrange(40), rng.randrange(8, 24)
            color = rng.choice(sorted(COLORS))
            rgb[y : y + side, x : x + side] = COLORS[color]
            box = Box.from_px((x, y, x + side, y + side), width=SIZE_PX, height=SIZE_PX)
            entities.append(Entity(id=number, tag="square", box=box))
            attributes.append(Attribute(entity_id=number, text=f"is {color}"))
        content = CaptionContent(entities=tuple(entities), attributes=tuple(attributes), globals=("the scene is calm",))
        path = folder / "images" / f"{index:06d}.png"
        Image.fromarray(rgb).save(path)
        names = [attribute.text.removeprefix("is ") for attribute in attributes]
        boxes = [[round(value, 3) for value in entity.box.as_tuple()] for entity in entities]
        rows.append(
            {
                "image_id": hashlib.sha256(path.read_bytes()).hexdigest(),
                "uri": str(path),
                "width": SIZE_PX,
                "height": SIZE_PX,
                "entities": [
                    {"tag": "square", "box": list(entity.box.as_tuple()), "score": 1.0, "source": "truth"}
                    for entity in entities
                ],
                "caption": " ".join(
                    f"A {name} square [[{', '.join(f'{value:.3f}' for value in box)}]] is here."
                    for name, box in zip(names, boxes, strict=True)
                ),
                "error": None,
                "content": content_to_row(content),
            }
        )
    entity_type = pa.struct(
        [("tag", pa.string()), ("box", pa.list_(pa.float32())), ("score", pa.float32()), ("source", pa.string())]
    )
    schema = pa.schema(
        [
            ("image_id", pa.string()),
            ("uri", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("entities", pa.list_(entity_type)),
            ("caption", pa.string()),
            ("error", pa.string()),
            ("content", content_type()),
        ]
    )
    target = folder / "scenes.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), target)
    return target


@pytest.fixture(scope="session")
def squares_parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("squares"), num=12)


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """Sizes of a model whose training takes milliseconds a step."""
    return ModelConfig(
        image_px=32, patch_px=8, vision_hidden=32, vision_layers=1, vision_heads=2, vision_mlp=64,
        text_hidden=32, text_layers=1, text_heads=2, text_mlp=64, vocabulary_size=400,
    )  # fmt: skip


CAPTIONS = (
    "A red square [[0.100, 0.200, 0.300, 0.400]] is to the left of a blue square [[0.500, 0.500, 0.750, 0.900]].",
    "The scene is calm. A green square [[0.000, 0.000, 1.000, 1.000]] is behind the red square.",
)


def build_checkpoint(coordinates: Coordinates, seed: int = 0) -> "Checkpoint":
    """A random model of four image tokens, width 32."""
    import torch

    from pancap.chain.model import Checkpoint, CheckpointMeta, build_model
    from pancap.chain.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(CAPTIONS * 2, vocabulary_size=400, coordinates=coordinates)
    sizes = {f"{part}_{name}": value for part in ("vision", "text") for name, value in TINY.items()}
    config = ModelConfig(coordinates=coordinates, image_px=32, patch_px=16, max_positions=512, **sizes)
    model = build_model(config, tokenizer=tokenizer, seed=seed).eval()
    with torch.no_grad():  # sharper than at initialisation, so that answers vary and don't repeat one token
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name:
                weight.mul_(8)
    return Checkpoint(model=model, tokenizer=tokenizer, meta=CheckpointMeta(coordinates=coordinates, mode="chain"))


TINY = {"hidden": 32, "layers": 2, "heads": 2, "mlp": 48}


@pytest.fixture(scope="session")
def token_checkpoint() -> "Checkpoint":
    return build_checkpoint("tokens")


@pytest.fixture(scope="session")
def text_checkpoint() -> "Checkpoint":
    return build_checkpoint("text")


@pytest.fixture
def begins_boxes() -> "Callable[[Checkpoint], AbstractContextManager[None]]":
    """Makes a model begin a box wherever it may: of itself a random one hardly ever does."""
    from pancap.chain.tokenizer import token_ids

    @contextmanager
    def biased(checkpoint: "Checkpoint") -> Iterator[None]:
        def prefer(module: object, inputs: object, logits: "torch.Tensor") -> None:
            logits[..., token_ids(checkpoint.tokenizer).box] += 1.0

        handle = checkpoint.model.lm_head.register_forward_hook(prefer)
        try:
            yield
        finally:
            handle.remove()

    return biased


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Noise of several shapes, the same in every run."""
    rng = np.random.default_rng(0)
    shapes = [(40, 40), (30, 60), (64, 20), (33, 47), (50, 50)]
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in shapes]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny matrices gain nothing from threads and lose much on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
