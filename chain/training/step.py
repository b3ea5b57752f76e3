"""The one training step of the chain, in plain torch: a packed batch in, the loss and its parts out."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pancap.chain.model import image_features
from pancap.chain.tokenizer import TokenIds
from pancap.chain.training.config import LossConfig
from pancap.chain.training.encoding import TreeBatch
from pancap.chain.training.loss import LossParts, answer_loss, mean_loss
from pancap.chain.training.probe import build_probe, probe_loss
from pancap.chain.training.tree import use_tree_attention

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration


def build_step(
    model: "LlavaForConditionalGeneration",
    *,
    named: TokenIds,
    loss: LossConfig,
    freeze_vision: bool = False,
    recomputes_layers: bool = False,
) -> "torch.nn.Module":
    """A module whose forward is one training step of `model` (a `TreeBatch` in, `LossParts` out).

    Of several batches it takes the mean, and keeps the activations of one at a time: the others are run again in the
    backward pass.
    Parameters that no loss reaches are frozen, so that every trained one has a gradient in every step.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    class ChainStep(torch.nn.Module):
        """Images once, all their stages behind them, loss over the answers."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.probe = build_probe(model.config.text_config.hidden_size) if asks_patches else None

        def forward(self, *batches: TreeBatch) -> LossParts:
            if len(batches) == 1:
                return self._loss(batches[0])
            return mean_loss([checkpoint(self._loss, batch, use_reentrant=False) for batch in batches])

        def _loss(self, batch: TreeBatch) -> LossParts:
            return step_loss(self.model, batch, named=named, loss=loss, probe=self.probe)

    asks_patches = loss.patches > 0 and len(named.coordinates) > 0
    use_tree_attention(model)
    for name, parameter in model.model.vision_tower.named_parameters():
        if freeze_vision or "post_layernorm" in name:
            parameter.requires_grad_(False)
    if recomputes_layers:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return ChainStep()


def step_loss(
    model: "LlavaForConditionalGeneration",
    batch: TreeBatch,
    *,
    named: TokenIds,
    loss: LossConfig,
    probe: "torch.nn.Module | None" = None,
) -> LossParts:
    """Loss of a packed batch; only supervised tokens reach the head.

    Args:
        model: the chain's model, attending over trees.
        batch: the packed images.
        named: ids of the special tokens.
        loss: weights.
        probe: asks the image tokens too (`chain.training.probe`).
    """
    embedded_TH = model.get_input_embeddings()(batch.ids_T)
    features_FH = image_features(model, batch.pixels).flatten(0, 1)
    is_image_T = (batch.ids_T == named.image).nonzero().squeeze(1)
    embedded_TH = embedded_TH.index_copy(0, is_image_T, features_FH.to(embedded_TH))
    outputs = model.model.language_model(
        inputs_embeds=embedded_TH.unsqueeze(0),
        position_ids=batch.positions_T.unsqueeze(0),
        use_cache=False,
        layout=batch.layout,
        output_hidden_states=probe is not None,
    )
    parts = answer_loss(
        outputs.last_hidden_state[0][batch.rows_M],
        model.lm_head.weight,
        targets_M=batch.targets_M,
        stages_M=batch.stages_M,
        tokens_G=batch.tokens_G,
        coordinates=named.coordinates,
        config=loss,
    )
    if probe is None or not len(batch.patch_rows_Q):
        return parts
    halfway_TH = outputs.hidden_states[(len(outputs.hidden_states) - 1) // 2][0]
    patches = probe_loss(
        probe,
        halfway_TH[batch.patch_rows_Q],
        units_Q4=batch.patch_units_Q4,
        words_Q=batch.patch_words_Q,
        embeddings_VH=model.get_input_embeddings().weight,
        coordinates=named.coordinates,
        sigma=loss.box.sigma,
    )
    share = loss.patches * len(batch.patch_rows_Q) / batch.num_patches
    return replace(parts, total=parts.total + share * patches, patches=patches.item())
