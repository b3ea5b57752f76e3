"""How fast scenes are drawn on one core, without writing them."""

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from pancap.engine.scenes.rows import encode_png
from pancap.engine.scenes.scene import draw_scene, render_scene

TARGET_PER_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenesBench:
    """Images a second of processor time on one core, median over rounds with the 20 % and 80 % rounds.

    Args:
        num: images a round.
        size_px: side.
        drawn: image and content.
        captioned: image, content and caption.
        encoded: all of it and the PNG bytes.
        low, high: of `captioned`, 20 % and 80 % of the rounds.
    """

    num: int
    size_px: int
    drawn: float
    captioned: float
    encoded: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "target": TARGET_PER_S, "is_reached": self.captioned >= TARGET_PER_S}

    def render(self) -> str:
        """A plain table."""
        return "\n".join(
            [
                f"scenes of {self.size_px} px on one core, images per CPU second (target {TARGET_PER_S:.0f})",
                f"  image and content     {self.drawn:6.1f}",
                f"  with the caption      {self.captioned:6.1f}   ({self.low:.1f} to {self.high:.1f})",
                f"  with PNG encoding     {self.encoded:6.1f}",
            ]
        )


def bench_scenes(*, num: int = 60, rounds: int = 5, size_px: int = 256) -> ScenesBench:
    """Measures the three ways in turn, `rounds` times, after one round to warm up.

    Args:
        num: images a round.
        rounds: how often.
        size_px: side of the images.
    """
    rates: dict[str, list[float]] = {"drawn": [], "captioned": [], "encoded": []}
    for turn in range(rounds + 1):
        for name in rates:
            started = time.process_time()
            for index in range(num):
                if name == "drawn":
                    draw_scene((turn, index), size_px=size_px)
                    continue
                scene = render_scene((turn, index), size_px=size_px)
                if name == "encoded":
                    encode_png(scene)
            if turn:
                rates[name].append(num / (time.process_time() - started))
    ordered = sorted(rates["captioned"])
    return ScenesBench(
        num=num,
        size_px=size_px,
        drawn=round(statistics.median(rates["drawn"]), 1),
        captioned=round(statistics.median(ordered), 1),
        encoded=round(statistics.median(rates["encoded"]), 1),
        low=round(ordered[len(ordered) // 5], 1),
        high=round(ordered[-1 - len(ordered) // 5], 1),
    )
