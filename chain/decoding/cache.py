"""Keys and values of a batch whose rows differ in length: the part of transformers' cache that attention calls."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# B rows, S positions, L layers, A attention heads, D width of a head.
# Positions by which a full buffer grows: a trade of copies against memory.
GROWTH = 128


class KeyValueCache:
    """Growing buffers in which every position of a row has its own place.

    What is written at a place replaces what stood there, so that a row takes back its last positions by writing them
    again: attention must look at no place beyond a token's own position. Writing a step copies that step alone.
    """

    def __init__(self, keys_LBASD: "list[torch.Tensor]", values_LBASD: "list[torch.Tensor]") -> None:
        """Starts from filled buffers, or from empty lists."""
        self.keys = keys_LBASD
        self.values = values_LBASD
        self.num_places = 0

    def place(self, positions_BS: "torch.Tensor", *, num_places: int) -> None:
        """Says where the next step goes.

        Args:
            positions_BS: int64, of each token of the step in its row.
            num_places: one more than the largest of them; attention sees so many.
        """
        self.positions_BS = positions_BS
        self.num_places = num_places

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Places that attention sees."""
        return self.num_places

    def update(
        self, keys: "torch.Tensor", values: "torch.Tensor", layer_idx: int, *_: Any, **__: Any
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """Writes a step of one layer and returns what that layer holds."""
        if layer_idx == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            self.keys[layer_idx] = self._write(self.keys[layer_idx], keys)
            self.values[layer_idx] = self._write(self.values[layer_idx], values)
        return self.keys[layer_idx][:, :, : self.num_places], self.values[layer_idx][:, :, : self.num_places]

    def rows(self, rows: "torch.Tensor") -> "KeyValueCache":
        """A cache of its own with some of the rows, in that order."""
        return KeyValueCache(
            [keys.index_select(0, rows) for keys in self.keys], [values.index_select(0, rows) for values in self.values]
        )

    def _write(self, buffer: "torch.Tensor", step: "torch.Tensor") -> "torch.Tensor":
        """Writes a step into a buffer, which grows by copying when it is full."""
        import torch

        if self.num_places > buffer.shape[2]:
            # Zeros: attention gives unwritten places a weight of 0, which would not silence a NaN that lay in memory.
            grown = buffer.new_zeros((*buffer.shape[:2], self.num_places + GROWTH, buffer.shape[3]))
            grown[:, :, : buffer.shape[2]] = buffer
            buffer = grown
        rows_B1 = torch.arange(len(step)).unsqueeze(1)
        buffer[rows_B1, :, self.positions_BS] = step.transpose(1, 2)
        return buffer
