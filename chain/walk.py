"""One image on its way through the stages: what is asked next, and what is known after an answer."""

from collections import deque
from dataclasses import replace

from pancap.chain.backends.base import Answer
from pancap.chain.boxtokens import Codec
from pancap.chain.config import ChainMode
from pancap.chain.stages import STAGES, STAGES_OF_MODE, ChainState, StageName, list_instances, merge_answer


class Walk:
    """The stage driver that all backends share.

    Args:
        mode: the stages to go through.
        codec: how the model spells boxes in this image.
        same_tag_max_iou: see `merge_answer`.

    Attributes:
        state: what is known so far.
        stage: the question to be asked now; None at the end.
        dropped: by stage, what looked like a box in its answer and was none.
        error: why the image was given up; empty for a good one.
    """

    def __init__(self, mode: ChainMode, *, codec: Codec, same_tag_max_iou: float = 1.0) -> None:
        """Stands before the first stage."""
        self.state = ChainState()
        self.stage: StageName | None = STAGES_OF_MODE[mode][0]
        self.dropped: dict[str, tuple[str, ...]] = {}
        self.error = ""
        self._codec = codec
        self._same_tag_max_iou = same_tag_max_iou
        self._left = deque(STAGES_OF_MODE[mode][1:])

    def take(self, answer: Answer) -> None:
        """Moves on with the answer to `stage`; a stage with nothing to ask about (no boxes to tag) answers nothing."""
        if answer.error:
            self.error = f"stage {self.stage}, {answer.error}"
            self.stage = None
            return
        self._merge(answer)
        while self.stage == "tag" and not self.state.boxes:
            self._merge(Answer())

    def _merge(self, answer: Answer) -> None:
        assert self.stage is not None
        if dropped := self._codec.dropped(answer.text):
            self.dropped[self.stage] = dropped
        known = replace(self.state, confidence=self.state.confidence | answer.confidence)
        self.state = merge_answer(
            self.stage, known, answer.text, codec=self._codec, same_tag_max_iou=self._same_tag_max_iou
        )
        if not self._left and STAGES[self.stage].gives != "caption":
            self.state = replace(self.state, caption=list_instances(self.state.instances))
        self.stage = self._left.popleft() if self._left else None
