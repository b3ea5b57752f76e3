"""A training state copied in memory, so that it can be written while the training goes on."""

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Copies:
    """Copies of tensors in the machine's memory; each round of them goes where the round before was."""

    def __init__(self) -> None:
        """Nothing is set aside before the first round."""
        self._buffers: list[torch.Tensor] = []
        self._num_used = 0
        self._seen: dict[tuple[Any, ...], tuple[torch.Tensor, torch.Tensor]] = {}

    def tree(self, item: Any) -> Any:
        """Copy of dicts, lists and tuples with the tensors in them; those that are one in a round are copied once."""
        import torch

        if isinstance(item, dict):
            same_kind = copy.copy(item)
            same_kind.update({key: self.tree(value) for key, value in item.items()})
            return same_kind
        if isinstance(item, list | tuple):
            return type(item)(self.tree(value) for value in item)
        if not isinstance(item, torch.Tensor):
            return item
        place = _place(item)
        if place not in self._seen:
            self._seen[place] = (item, self.tensor(item))  # held, so that its memory gets no other content meanwhile
        return self._seen[place][1]

    def tensor(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """Copy of one tensor, which may be freed afterwards."""
        import torch

        if self._num_used == len(self._buffers):
            self._buffers.append(torch.empty(0))
        buffer = self._buffers[self._num_used]
        if (buffer.shape, buffer.dtype) != (tensor.shape, tensor.dtype):
            buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._buffers[self._num_used] = buffer
        self._num_used += 1
        self._seen[_place(buffer)] = (buffer, buffer)  # is not copied again
        return buffer.copy_(tensor.detach())

    def end_round(self) -> None:
        """The next copies go over these; call it when nobody needs them any more but for those still to be written."""
        self._num_used = 0
        self._seen.clear()


def _place(tensor: "torch.Tensor") -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()
