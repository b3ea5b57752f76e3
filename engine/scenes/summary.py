"""What a run of `pancap scenes` made."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

_NUM_TAGS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenesSummary:
    """Figures of a run.

    Args:
        out: folder.
        num: scenes in it.
        digest: sha256 over the image ids and captions in order; equal digests mean equal scenes.
        was_complete: the folder held exactly these scenes already, nothing was drawn.
        entities: mean entities an image.
        attributes: mean attributes an image.
        relations: mean relations an image.
        words: mean words a caption, boxes left out.
        tags: entities by tag, the most frequent first.
        seconds: wall time; 0 when nothing was drawn.
    """

    out: str
    num: int
    digest: str
    was_complete: bool
    entities: float
    attributes: float
    relations: float
    words: float
    tags: dict[str, int]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A plain table."""
        shown = list(self.tags.items())[:_NUM_TAGS_SHOWN]
        rate = f"{self.num / self.seconds:.0f} a second" if self.seconds else "complete already, nothing drawn"
        lines = [
            ("scenes", f"{self.num} in {self.out} ({rate})"),
            ("per image", f"{self.entities:.1f} entities, {self.attributes:.1f} attributes, "
                          f"{self.relations:.1f} relations, {self.words:.0f} words"),
            ("tags", f"{len(self.tags)}: " + ", ".join(f"{tag} {count}" for tag, count in shown)),
            ("digest", self.digest[:16]),
        ]  # fmt: skip
        return "\n".join(f"{name:<10} {value}" for name, value in lines)


def summarize(
    tables: Iterable[pa.Table], *, out: str, digest: str, was_complete: bool, seconds: float
) -> ScenesSummary:
    """Counts over the rows of `scenes.parquet`."""
    tags: Counter[str] = Counter()
    num = num_entities = num_attributes = num_relations = num_words = 0
    for table in tables:
        for row in table.select(["caption", "content"]).to_pylist():
            num += 1
            tags.update(entity["tag"] for entity in row["content"]["entities"])
            num_entities += len(row["content"]["entities"])
            num_attributes += len(row["content"]["attributes"])
            num_relations += len(row["content"]["relations"])
            num_words += count_words(row["caption"])
    return ScenesSummary(
        out=out,
        num=num,
        digest=digest,
        was_complete=was_complete,
        entities=round(num_entities / num, 2),
        attributes=round(num_attributes / num, 2),
        relations=round(num_relations / num, 2),
        words=round(num_words / num, 1),
        tags=dict(sorted(tags.items(), key=lambda item: (-item[1], item[0]))),
        seconds=round(seconds, 2),
    )


def count_words(caption: str) -> int:
    """Words of a caption without its boxes."""
    return sum(any(letter.isalpha() for letter in word) for word in caption.split())
