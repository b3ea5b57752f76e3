"""Scenes rendered once and kept on disk while detectors train on them."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pancap.caption.content import CaptionContent
from pancap.engine.detectors.letterbox import INPUT_PX

Progress = Callable[[str, int, int | None], None]
Render = Callable[[int], tuple[np.ndarray, CaptionContent]]
"""Picture (256, 256, 3 uint8) and content of a seed; a module-level function, so that worker processes can have it."""

CHUNK = 50


@dataclass(frozen=True, kw_only=True)
class CachedScenes:
    """Pictures and boxes of many scenes.

    Args:
        images: (N, 256, 256, 3) uint8, on disk.
        boxes: for each scene (G, 4) fractions.
        labels: for each scene (G,) class indices.
    """

    images: np.ndarray
    boxes: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.boxes)


def scene_classes() -> tuple[str, ...]:
    """Every tag that Scenes can contain, sorted."""
    from pancap.engine.scenes.vocabulary import PARTS, STUFF, THINGS

    return tuple(sorted({*THINGS, *STUFF, *PARTS}))


def render_for_training(seed: int) -> tuple[np.ndarray, CaptionContent]:
    """The scene of a seed at the size of the networks."""
    from pancap.engine.scenes.scene import draw_scene

    scene = draw_scene(seed, size_px=INPUT_PX)
    return scene.image, scene.content


def cache_scenes(
    folder: Path,
    *,
    seed: int,
    num: int,
    classes: Sequence[str],
    num_workers: int = 1,
    render: Render = render_for_training,
    on_progress: Progress | None = None,
) -> CachedScenes:
    """Renders scenes seed, seed + 1, ... into a folder, or opens it where it already holds exactly them.

    Args:
        folder: created; about 0.2 MB a scene.
        seed: of the first scene.
        num: scenes.
        classes: tag of each class index; entities of other tags are left out.
        num_workers: processes that render.
        render: makes one scene.
        on_progress: called with ("rendering", done, total).
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest, want = folder / "manifest.json", _fingerprint(seed=seed, num=num, classes=classes)
    if not (manifest.is_file() and manifest.read_text() == want):
        manifest.unlink(missing_ok=True)
        _fill(folder, seed=seed, num=num, classes=classes, num_workers=num_workers, render=render, progress=on_progress)
        manifest.write_text(want)
    with np.load(folder / "boxes.npz") as arrays:
        starts, boxes, labels = arrays["starts"], arrays["boxes"], arrays["labels"]
    spans = list(itertools.pairwise(starts))
    return CachedScenes(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        boxes=tuple(boxes[first:last] for first, last in spans),
        labels=tuple(labels[first:last] for first, last in spans),
    )


def boxes_and_labels(content: CaptionContent, *, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (G, 4) in fractions and class indices (G,) of the entities that have a box and a known tag."""
    index = {tag: number for number, tag in enumerate(classes)}
    found = [(entity.box, index[entity.tag]) for entity in content.entities if entity.tag in index]
    pairs = [(box.as_tuple(), label) for box, label in found if box is not None]
    boxes = np.array([box for box, _ in pairs], dtype=np.float32).reshape(-1, 4)
    return boxes, np.array([label for _, label in pairs], dtype=np.int64)


def _fingerprint(*, seed: int, num: int, classes: Sequence[str]) -> str:
    from pancap.engine.scenes.scene import SCENES_VERSION

    names = hashlib.sha256("\n".join(classes).encode()).hexdigest()
    return json.dumps({"seed": seed, "num": num, "classes": names, "scenes_version": SCENES_VERSION})


def _fill(
    folder: Path,
    *,
    seed: int,
    num: int,
    classes: Sequence[str],
    num_workers: int,
    render: Render,
    progress: Progress | None,
) -> None:
    images = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(num, INPUT_PX, INPUT_PX, 3)
    )
    jobs = [(folder, seed, start, min(start + CHUNK, num), tuple(classes), render) for start in range(0, num, CHUNK)]
    boxes: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with ProcessPoolExecutor(num_workers) as pool:
        for done, (some_boxes, some_labels) in enumerate(pool.map(_render_chunk, jobs), start=1):
            boxes += some_boxes
            labels += some_labels
            if progress is not None:
                progress("rendering", min(done * CHUNK, num), num)
    images.flush()
    starts = np.cumsum([0, *(len(one) for one in labels)])
    np.savez(folder / "boxes.npz", starts=starts, boxes=np.concatenate(boxes), labels=np.concatenate(labels))


def _render_chunk(
    job: tuple[Path, int, int, int, tuple[str, ...], Render],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    folder, seed, first, last, classes, render = job
    images = np.load(folder / "images.npy", mmap_mode="r+")
    boxes, labels = [], []
    for index in range(first, last):
        images[index], content = render(seed + index)
        some_boxes, some_labels = boxes_and_labels(content, classes=classes)
        boxes.append(some_boxes)
        labels.append(some_labels)
    images.flush()
    return boxes, labels
