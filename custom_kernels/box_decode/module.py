"""The decoder with what it needs from step to step."""

import torch

from pancap.custom_kernels.backend import Backend
from pancap.custom_kernels.box_decode.function import BoxDecode, box_decode, box_decode_joint, new_counters


class BoxDecoder(torch.nn.Module):
    """Holds the coordinate rows of a model and the kernel's counters, so that a step is one launch.

    Use one per CUDA stream. Ready for CUDA graphs: after one warm-up call nothing is copied from the host.

    Args:
        weight_KH: coordinate rows of the output head; a view of the head costs no memory.
        bias_K: their bias.
        embedding_KH: coordinate rows of the input embedding, to get the next input with the coordinate.
        max_rows: most rows of a call (four a box in `decode_boxes`).
        backend: see `choose_backend`.
    """

    counters: torch.Tensor

    def __init__(
        self,
        weight_KH: torch.Tensor,
        *,
        bias_K: torch.Tensor | None = None,
        embedding_KH: torch.Tensor | None = None,
        max_rows: int = 1024,
        backend: Backend = "auto",
    ) -> None:
        """Shares memory with the model; nothing is copied, and nothing moves with `.to()`."""
        super().__init__()
        # Detached: a parameter of the model must not become one of this module too.
        self.weight_KH = weight_KH.detach()
        self.bias_K = None if bias_K is None else bias_K.detach()
        self.embedding_KH = None if embedding_KH is None else embedding_KH.detach()
        self.backend: Backend = backend
        counters = new_counters(max_rows, weight_KH.shape[0], device=weight_KH.device)
        self.register_buffer("counters", counters, persistent=False)

    def forward(
        self,
        hidden_NH: torch.Tensor,
        *,
        lower_N: torch.Tensor | None = None,
        upper_N: torch.Tensor | None = None,
        temperature: float = 1.0,
        seeds_N: torch.Tensor | None = None,
    ) -> BoxDecode:
        """One coordinate a row, see `box_decode`."""
        return box_decode(
            hidden_NH,
            self.weight_KH,
            bias_K=self.bias_K,
            lower_N=lower_N,
            upper_N=upper_N,
            temperature=temperature,
            seeds_N=seeds_N,
            embedding_KH=self.embedding_KH,
            counters=self.counters,
            backend=self.backend,
        )

    def decode_boxes(
        self,
        hidden_B4H: torch.Tensor,
        *,
        lower_B4: torch.Tensor | None = None,
        upper_B4: torch.Tensor | None = None,
        temperature: float = 1.0,
    ) -> BoxDecode:
        """One ordered box a row, see `box_decode_joint`."""
        return box_decode_joint(
            hidden_B4H,
            self.weight_KH,
            bias_K=self.bias_K,
            lower_B4=lower_B4,
            upper_B4=upper_B4,
            temperature=temperature,
            embedding_KH=self.embedding_KH,
            counters=self.counters,
            backend=self.backend,
        )
