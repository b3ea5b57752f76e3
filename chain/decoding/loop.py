"""Continuous greedy decoding: answers about many images side by side, each image in a slot, each at its own pace.

System text and picture are encoded into a slot once; every stage's prompt and answer follow behind them and make room
for those of the next stage. When the image is done, the slot takes the next one.

A step may carry drafts: tokens that are likely to come (`chain.decoding.drafts`). One forward pass gives the model's
choice behind each of them; a draft counts as far as it is what the model chooses, so that answers don't depend on it.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from pancap.chain.decoding.answers import Branch, Decoded, Row
from pancap.chain.decoding.slots import Slots
from pancap.chain.model import Checkpoint, image_features
from pancap.chain.tokenizer import token_ids

if TYPE_CHECKING:
    import torch

# N images or boxes, S positions of a prefix, T tokens of a step, H width of the model.


class Decoder:
    """Writes answers in slots.

    With rules over coordinate tokens, those of a new box come from `box_decode`: the coordinate rows of the head, not
    all of it. Where the next token is certain (copied boxes) no head is asked. With rules over digits the head is asked
    as without any, and once more only where its choice would spoil a box.

    Args:
        checkpoint: the model, on the device that it is to run on.
        num_slots: images at a time; memory follows those under way.
        repeat_window: longest repeated sequence that ends a runaway answer.
        step_tokens: of all answers together; drafts take what the answers' own tokens leave of it.

    Attributes:
        num_free: slots without an image.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, num_slots: int, repeat_window: int = 120, step_tokens: int = 320
    ) -> None:
        """Starts with empty slots."""
        from pancap.custom_kernels.box_decode import BoxDecoder

        self.model = checkpoint.model
        self.ids = token_ids(checkpoint.tokenizer)
        self.prefix_ids = checkpoint.prefix_ids
        self.repeat_window = repeat_window
        self.step_tokens = step_tokens
        first, stop = self.ids.coordinates.start, self.ids.coordinates.stop
        self.box_decoder = BoxDecoder(self.model.lm_head.weight[first:stop], max_rows=num_slots)
        self.slots = Slots(self.model.model.language_model, num_slots=num_slots)
        self.rows: dict[int, Row] = {}
        self._free = list(range(num_slots))  # a heap: low slots first, memory is taken up to the highest

    @property
    def num_free(self) -> int:
        """See the class."""
        return len(self._free)

    def encode(self, pixels: "torch.Tensor") -> list[int]:
        """Runs vision tower and prefix of images once.

        Args:
            pixels: (N, 3, S, S) from `chain.images`, at most `num_free` of them.

        Returns:
            The slot of each image, until `leave`.
        """
        import torch

        slots = [heappop(self._free) for _ in pixels]
        with torch.inference_mode():
            prefix_S = torch.tensor(self.prefix_ids, device=self.model.device)
            embeds_NSH = self.model.get_input_embeddings()(prefix_S).repeat(len(slots), 1, 1)
            embeds_NSH[:, prefix_S == self.ids.image] = image_features(self.model, pixels.to(self.model.device))
            for slot in slots:
                self.slots.lengths[slot] = 0
            self.slots.read(embeds_NSH.flatten(0, 1), slots=slots, sizes=[len(prefix_S)] * len(slots))
        for slot in slots:
            self.slots.lengths[slot] = len(self.prefix_ids)
        return slots

    def start(self, slot: int, branch: Branch) -> None:
        """Begins an answer about a slot's image, in place of the one before."""
        self.slots.lengths[slot] = len(self.prefix_ids)
        self.rows[slot] = Row(branch, slot=slot, ids=self.ids, repeat_window=self.repeat_window)

    def leave(self, slot: int) -> None:
        """Frees the slot of an image that is done."""
        heappush(self._free, slot)

    def step(self) -> list[tuple[int, Decoded]]:
        """One forward pass for all answers under way.

        Returns:
            Slot and answer where one ends.
        """
        import torch

        rows = list(self.rows.values())
        max_draft = max(self.step_tokens // len(rows) - 1, 0)
        new_ids = [row.begin_step(max_draft=max_draft) for row in rows]
        with torch.inference_mode():
            ids_T = torch.tensor([token for ids in new_ids for token in ids], device=self.model.device)
            hidden_TH = self.slots.read(
                self.model.get_input_embeddings()(ids_T),
                slots=[row.slot for row in rows],
                sizes=[len(ids) for ids in new_ids],
            )
            self._verify(hidden_TH, rows)
        ended = [row for row in rows if row.is_finished]
        for row in ended:
            del self.rows[row.slot]
        return [(row.slot, row.decoded()) for row in ended]

    def _verify(self, hidden_TH: "torch.Tensor", rows: Sequence[Row]) -> None:
        """Records the tokens that the model chooses, on and on where it chooses what the draft holds."""
        start = 0
        for row in rows:
            row.place = start + len(row.given) - 1
            start += len(row.given) + len(row.draft)
            self.slots.lengths[row.slot] += len(row.given)
        self._choose_plain(hidden_TH, [row for row in rows if row.grammar is None])
        while rows:
            rows = [row for row, token, std in self._chosen(hidden_TH, rows) if row.take(token, std=std)]
            for row in rows:
                self.slots.lengths[row.slot] += 1

    def _choose_plain(self, hidden_TH: "torch.Tensor", rows: Sequence[Row]) -> None:
        """Asks the head at once for all choices that no grammar makes; of digits, see `_chosen`."""
        places = [row.place + offset for row in rows for offset in range(1 + len(row.draft))]
        tokens = iter(self.model.lm_head(hidden_TH[places]).argmax(1).tolist() if places else ())
        for row in rows:
            row.plain = iter([next(tokens) for _ in range(1 + len(row.draft))])

    def _chosen(self, hidden_TH: "torch.Tensor", rows: Sequence[Row]) -> Iterator[tuple[Row, int, float]]:
        """The next token of each row, with the standard deviation of a new box's coordinate (else 0)."""
        scored: list[Row] = []
        placed: list[tuple[Row, tuple[int, int]]] = []
        for row in rows:
            if row.grammar is None:
                token = next(row.plain)
                if row.allows(token):
                    yield row, token, 0.0
                else:
                    scored.append(row)
            elif (forced := row.grammar.forced()) is not None:
                yield row, forced, 0.0
            elif (bounds := row.grammar.bounds()) is not None:
                placed.append((row, bounds))
            else:
                scored.append(row)
        if placed:
            hidden_NH = hidden_TH[[row.place for row, _ in placed]]
            corners = self._decode_corners(hidden_NH, [bounds for _, bounds in placed])
            for (row, _), (value, std) in zip(placed, corners, strict=True):
                yield row, self.ids.coordinates.start + value, std
        if scored:
            logits_NV = self.model.lm_head(hidden_TH[[row.place for row in scored]])
            for row, logits_V in zip(scored, logits_NV, strict=True):
                yield row, row.choose(logits_V), 0.0

    def _decode_corners(
        self, hidden_NH: "torch.Tensor", bounds: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, float]]:
        """(coordinate, its standard deviation) of each row that places a box."""
        import torch

        lower_N, upper_N = torch.tensor(bounds, device=hidden_NH.device).unbind(1)
        found = self.box_decoder(hidden_NH, lower_N=lower_N, upper_N=upper_N)
        return zip(found.bins.tolist(), found.std.tolist(), strict=True)
