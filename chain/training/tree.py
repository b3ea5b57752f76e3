"""Attention over prefix trees: an image's tokens once, then its stages side by side, none seeing another.

A batch is one packed row. Each tree in it is a prefix (the image) and branches (the stages); a token sees the prefix
of its own tree and what stands before it in its own branch. Packed pieces cost no padding, and four stages cost one
pass over the image instead of four.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration

ATTENTION_NAME = "pancap_tree"


@dataclass(frozen=True, slots=True)
class Tree:
    """Lengths of one image's prefix and branches, in tokens."""

    num_prefix: int
    num_branch: tuple[int, ...]


@dataclass(frozen=True)
class TreeLayout:
    """The trees of a packed batch, in order."""

    trees: tuple[Tree, ...]

    @cached_property
    def lengths(self) -> list[int]:
        """Lengths of all pieces in order: prefix, branches, prefix, branches, ..."""
        return [length for tree in self.trees for length in (tree.num_prefix, *tree.num_branch)]

    @cached_property
    def masks(self) -> dict[tuple[int, int], "torch.Tensor"]:
        """Additive masks by (prefix, branch) lengths: the whole prefix, and the branch up to each token itself."""
        return {
            (tree.num_prefix, length): branch_mask(tree.num_prefix, length)
            for tree in self.trees
            for length in tree.num_branch
        }


def branch_mask(num_prefix: int, num_branch: int) -> "torch.Tensor":
    """(branch, prefix + branch) additive float32 mask: 0 where a branch token may look, -inf elsewhere."""
    import torch

    hidden = torch.full((num_branch, num_prefix + num_branch), float("-inf"))
    return hidden.triu(num_prefix + 1)


def tree_attention(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    *,
    layout: TreeLayout,
    scaling: float | None = None,
    **_: Any,
) -> tuple["torch.Tensor", None]:
    """Attention in transformers' signature over a packed batch, (1, heads, T, head_dim) in, (1, T, heads, dim) out.

    Pieces are cut with one `split` each: slicing would make autograd fill a whole zero tensor per piece.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    pieces = zip(*(tensor.split(layout.lengths, dim=2) for tensor in (query, key, value)), strict=True)
    outputs = []
    for tree in layout.trees:
        query_prefix, key_prefix, value_prefix = next(pieces)
        outputs.append(
            scaled_dot_product_attention(query_prefix, key_prefix, value_prefix, is_causal=True, scale=scaling)
        )
        for length in tree.num_branch:
            query_branch, key_branch, value_branch = next(pieces)
            outputs.append(
                scaled_dot_product_attention(
                    query_branch,
                    torch.cat([key_prefix, key_branch], dim=2),
                    torch.cat([value_prefix, value_branch], dim=2),
                    attn_mask=layout.masks[tree.num_prefix, length].to(query_branch),
                    scale=scaling,
                )
            )
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def use_tree_attention(model: "LlavaForConditionalGeneration") -> None:
    """Makes the language model attend over trees (training only: the saved configuration does not change)."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(ATTENTION_NAME, tree_attention)
    model.model.language_model.set_attn_implementation(ATTENTION_NAME)
