"""Sentences about the image as a whole: the opening scene and the closing remarks."""

from dataclasses import dataclass
from random import Random

from pancap.engine.captioners.phrases import as_sentence, with_article

_PLACES = {
    "outdoors": "outdoor",
    "outdoor": "outdoor",
    "outside": "outdoor",
    "indoors": "indoor",
    "indoor": "indoor",
    "inside": "indoor",
}
_TIME_STARTS = ("at ", "during ", "in the ", "by ")
_OPENINGS = ("The image shows", "The image depicts", "This is", "The picture shows")


@dataclass(frozen=True, slots=True)
class Opening:
    """The first sentence without its full stop, and the global items that are left for the closing."""

    text: str | None
    left: tuple[str, ...]


def open_scene(items: tuple[str, ...], *, rng: Random) -> Opening:
    """Turns place, time and sometimes weather into `The image shows an outdoor scene at night`.

    Args:
        items: global clauses (`the scene is outdoors`).
        rng: chooses the words.

    Returns:
        The opening, its text None where no item says where or when.
    """
    place, times, weather, left = "", "", "", []
    for item in items:
        rest = item.removeprefix("the scene is ").strip() if item.startswith("the scene is ") else ""
        if rest in _PLACES and not place:
            place = _PLACES[rest]
        elif rest.startswith(_TIME_STARTS) and not times:
            times = f" {rest}"
        elif item.startswith("the weather is ") and item.count(" ") == 3 and not weather and rng.random() < 0.4:
            weather = f" in {item.rsplit(' ', 1)[1]} weather"
        else:
            left.append(item)
    if not (place or times):
        return Opening(None, items)
    scene = with_article(f"{place} scene".strip())
    return Opening(f"{rng.choice(_OPENINGS)} {scene}{times}{weather}", tuple(left))


def close_scene(items: tuple[str, ...], *, rng: Random) -> list[str]:
    """The remaining global clauses as sentences, now and then two in one."""
    clauses = [clause for clause in (" ".join(item.split()).rstrip(".") for item in items) if clause]
    sentences = []
    while clauses:
        first = clauses.pop(0)
        if clauses and rng.random() < 0.6:
            first = f"{first} and {clauses.pop(0)}"
        sentences.append(first)
    if sentences and rng.random() < 0.3:
        sentences[0] = f"overall, {sentences[0]}"
    return [as_sentence(sentence) for sentence in sentences]
