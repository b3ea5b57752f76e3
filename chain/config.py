"""Configuration of the chain's model and of captioning with it (training has its own, in `chain/training`)."""

from dataclasses import dataclass
from typing import Literal

Coordinates = Literal["tokens", "text"]
ChainMode = Literal["chain", "loc_tag_cap", "two_stage", "one_stage", "instances"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of a LLaVA model; the defaults are `nano`, which two CPU cores can train."""

    coordinates: Coordinates = "tokens"
    """How a box is spelled: five tokens (`<box><c12>...`), or ASMv2 digits (`<box>[[12, ...]]</box>`)."""
    vocabulary_size: int = 2048
    """Text tokens of the tokenizer (an upper bound); prompts and coordinate tokens come on top."""
    image_px: int = 224
    """Side of the square that the vision tower sees."""
    patch_px: int = 16
    """Side of one patch; image_px must be a multiple of it."""
    vision_hidden: int = 192
    """Width of the vision tower."""
    vision_layers: int = 6
    """Layers of the vision tower; its last hidden states, without the class token, are the image tokens."""
    vision_heads: int = 3
    """Attention heads of the vision tower."""
    vision_mlp: int = 768
    """Width of the vision tower's feed-forward part."""
    text_hidden: int = 256
    """Width of the language model."""
    text_layers: int = 4
    """Layers of the language model."""
    text_heads: int = 4
    """Attention heads of the language model."""
    text_mlp: int = 688
    """Width of the language model's feed-forward part."""
    max_positions: int = 2048
    """Longest sequence, image tokens included."""

    def __post_init__(self) -> None:
        """Refuses sizes that do not divide."""
        for whole, part, names in (
            (self.image_px, self.patch_px, "image_px must be a multiple of patch_px"),
            (self.vision_hidden, self.vision_heads, "vision_hidden must be a multiple of vision_heads"),
            (self.text_hidden, 2 * self.text_heads, "text_hidden must be an even multiple of text_heads"),
        ):
            if part < 1 or whole < 1 or whole % part:
                raise ValueError(f"{names}, got {whole} and {part}; change one of them")

    @property
    def num_image_tokens(self) -> int:
        """Patches of one image."""
        return (self.image_px // self.patch_px) ** 2


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Limits and constraints of greedy decoding."""

    max_new_tokens_loc: int = 160
    """Longest answer of the localization stage, in tokens."""
    max_new_tokens_tag: int = 320
    """Longest answer of the tag stage, or of the two-stage model's instances."""
    max_new_tokens_disc: int = 160
    """Longest answer of the discovery stage."""
    max_new_tokens_cap: int = 768
    """Longest caption, of the chain's last stage or of the one-stage model."""
    enable_constraints: bool = True
    """With coordinate tokens: every box is complete, ordered and inside the image; later stages use the known boxes."""
    enable_refinement: bool = True
    """With constraints: a checkpoint that was trained for it corrects boxes in its tag stage (box_noise) and in its
    caption (caption_noise)."""
    same_tag_max_iou: float = 0.8
    """Corrected boxes can fall together: of two instances of one tag whose IoU is above this only the first stays."""
    enable_complete_captions: bool = False
    """With constraints: a caption ends only when it names every box that the stages before it found."""
    repeat_window: int = 40
    """Longest repeated token sequence that stops a runaway answer (after its third copy)."""

    def __post_init__(self) -> None:
        """Refuses limits below one token."""
        for name in ("loc", "tag", "disc", "cap"):
            value = self.max_new_tokens(name)
            if value < 1:
                raise ValueError(f"max_new_tokens_{name} must be >= 1, got {value}; set a positive number")
        if not 0 < self.same_tag_max_iou <= 1:
            raise ValueError(f"same_tag_max_iou must be in 0..1, got {self.same_tag_max_iou}; 1 keeps all")

    def max_new_tokens(self, stage: str) -> int:
        """Longest answer of a stage, in tokens."""
        alike = {"one_stage": "cap", "inst": "tag"}
        return int(getattr(self, f"max_new_tokens_{alike.get(stage, stage)}"))


@dataclass(frozen=True, kw_only=True)
class CaptionConfig:
    """One captioning run: images in, captions out."""

    checkpoint: str
    """Checkpoint folder of a chain."""
    images: str
    """An image file, a folder of images, or a Scenes folder."""
    out: str = "captions"
    """Folder that receives captions.json (SA-Pancap form) and captions.jsonl (everything)."""
    mode: Literal["checkpoint", "chain", "loc_tag_cap", "two_stage", "one_stage", "instances"] = "checkpoint"
    """Which road to the caption; `checkpoint` takes the one it was trained for."""
    batch_size: int = 16
    """Images in flight."""
    limit: int | None = None
    """Caption only the first images, in order of their names."""
    num_threads: int | None = None
    """CPU threads of the model; None leaves torch's choice."""
    draw: bool = False
    """Also write every image with its boxes to OUT/overlays."""
    overwrite: bool = False
    """Replace the captions of another run in OUT; without it a run of the same settings goes on where it stopped."""
    decoding: DecodingConfig = DecodingConfig()
    """Limits and constraints of decoding."""

    def __post_init__(self) -> None:
        """Refuses sizes below one."""
        for name in ("batch_size", "limit", "num_threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}; set a positive number")
