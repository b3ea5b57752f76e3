import torch

from pancap.chain.export import export_for_vllm, hub_name
from pancap.chain.images import to_pixels


def test_weights_take_the_hub_s_names():
    assert hub_name("model.vision_tower.post_layernorm.bias") == "vision_tower.vision_model.post_layernorm.bias"
    assert hub_name("model.language_model.norm.weight") == "language_model.model.norm.weight"


def test_an_export_gives_the_same_logits_from_the_last_but_one_layer(token_checkpoint, tmp_path, pictures):
    from safetensors.torch import load_file
    from transformers import LlavaForConditionalGeneration

    folder = export_for_vllm(token_checkpoint, directory=tmp_path)
    model = LlavaForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    assert model.config.vision_feature_layer == -2
    ids = torch.tensor([[*token_checkpoint.prefix_ids, 10, 20, 30]])
    pixels = to_pixels(pictures[:1], image_px=32)
    with torch.no_grad():
        theirs = model(input_ids=ids, pixel_values=pixels).logits
        ours = token_checkpoint.model(input_ids=ids, pixel_values=pixels).logits
    assert torch.equal(theirs, ours)
    prefixes = ("vision_tower.vision_model.", "language_model.model.", "multi_modal_projector.")
    assert all(name.startswith(prefixes) for name in load_file(folder / "model.safetensors"))
