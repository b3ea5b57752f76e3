"""The one training step of the chain, in plain torch: a packed batch in, the loss and its parts out."""

from typing import TYPE_CHECKING

from pancap.chain.model import image_features
from pancap.chain.tokenizer import TokenIds
from pancap.chain.training.config import LossConfig
from pancap.chain.training.encoding import TreeBatch
from pancap.chain.training.loss import LossParts, answer_loss
from pancap.chain.training.tree import use_tree_attention

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration


def build_step(model: "LlavaForConditionalGeneration", *, named: TokenIds, loss: LossConfig) -> "torch.nn.Module":
    """A module whose forward is one training step of `model` (a `TreeBatch` in, `LossParts` out).

    Parameters that no loss reaches are frozen, so that every trained one has a gradient in every step.
    """
    import torch

    class ChainStep(torch.nn.Module):
        """Images once, all their stages behind them, loss over the answers."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: TreeBatch) -> LossParts:
            return step_loss(self.model, batch, named=named, loss=loss)

    use_tree_attention(model)
    for name, parameter in model.model.vision_tower.named_parameters():
        if "post_layernorm" in name:
            parameter.requires_grad_(False)
    return ChainStep()


def step_loss(
    model: "LlavaForConditionalGeneration", batch: TreeBatch, *, named: TokenIds, loss: LossConfig
) -> LossParts:
    """Loss of a packed batch; scores are computed for the supervised tokens only."""
    embedded_TH = model.get_input_embeddings()(batch.ids_T)
    features_FH = image_features(model, batch.pixels).flatten(0, 1)
    is_image_T = (batch.ids_T == named.image).nonzero().squeeze(1)
    embedded_TH = embedded_TH.index_copy(0, is_image_T, features_FH.to(embedded_TH))
    hidden_TH = model.model.language_model(
        inputs_embeds=embedded_TH.unsqueeze(0),
        position_ids=batch.positions_T.unsqueeze(0),
        use_cache=False,
        layout=batch.layout,
    ).last_hidden_state[0]
    logits_MV = model.lm_head(hidden_TH[batch.rows_M])
    return answer_loss(
        logits_MV,
        targets_M=batch.targets_M,
        stages_M=batch.stages_M,
        coordinates=named.coordinates,
        config=loss,
    )
