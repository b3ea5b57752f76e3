"""Configuration of the chain's model and of captioning with it (training has its own, in `chain/training`)."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pancap.llm.config import EndpointConfig, VllmConfig

Coordinates = Literal["tokens", "text"]
PromptSet = Literal["A", "B", "C"]
Device = Literal["auto", "cpu", "cuda"]
NumberFormat = Literal["auto", "float32", "bfloat16", "float16"]
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
    """Every box is complete, ordered and inside the image, as tokens or digits, in backends transformers, vllm and ray.
    With coordinate tokens and transformers, later stages use the known boxes too."""
    enable_refinement: bool = True
    """With constraints on coordinate tokens: a checkpoint that was trained for it corrects boxes in its tag stage
    (box_noise) and in its caption (caption_noise)."""
    same_tag_max_iou: float = 0.8
    """Corrected boxes can fall together: of two instances of one tag whose IoU is above this only the first stays."""
    enable_complete_captions: bool = False
    """With constraints on coordinate tokens: a caption ends only when it names every box of the stages before it."""
    repeat_window: int = 120
    """Longest repeated token sequence that stops a runaway answer (after its third copy); 40 missed loops of a whole
    sentence with boxes in digits."""
    enable_drafts: bool = True
    """Known boxes and literals are offered as drafts, several tokens a step; the answers stay the same. Backend
    transformers alone."""
    draft_ngram: int = 3
    """With drafts: longest run of tokens of prompt and answer whose continuation is offered too; 0 for none."""
    draft_step_tokens: int = 320
    """With drafts: tokens that a forward pass may carry for all images under way, each draft its share; where that is
    below 100 tokens draft_ngram rests."""

    def __post_init__(self) -> None:
        """Refuses limits below one token."""
        for name in ("loc", "tag", "disc", "cap"):
            value = self.max_new_tokens(name)
            if value < 1:
                raise ValueError(f"max_new_tokens_{name} must be >= 1, got {value}; set a positive number")
        if not 0 < self.same_tag_max_iou <= 1:
            raise ValueError(f"same_tag_max_iou must be in 0..1, got {self.same_tag_max_iou}; 1 keeps all")
        for name in ("draft_ngram", "draft_step_tokens"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}; 0 turns it off")

    def max_new_tokens(self, stage: str) -> int:
        """Longest answer of a stage, in tokens."""
        alike = {"one_stage": "cap", "inst": "tag"}
        return int(getattr(self, f"max_new_tokens_{alike.get(stage, stage)}"))


@dataclass(frozen=True, kw_only=True)
class PromptingConfig:
    """How a model is asked that has no pancap.json: for backends vllm, ray and openai."""

    prompts: Literal["trained", "A", "B", "C"] = "trained"
    """`trained`: the chain's own, for a model that learned them. For all others `A` (one question), `B` (the same with
    an example) or `C` (the stages as questions of their own)."""
    boxes: Literal["text", "tokens", "fractions", "thousandths", "thousandths_yx", "pixels"] = "text"
    """How the model writes a box: `text` or `tokens` with trained prompts, as its training says; otherwise the frame
    that it knows: fractions or thousandths of the image (`_yx`: y first), or pixels of the picture that it is sent."""
    system: str = ""
    """System message; empty for none."""
    max_pixels: int = 4_000_000
    """Larger pictures are made smaller before they are sent."""
    multiple_px: int = 1
    """Sides of the picture that is sent are multiples of this: what the model's own resizing keeps, so that pixels mean
    the same to both (28 for Qwen2.5-VL)."""

    def __post_init__(self) -> None:
        """Refuses prompts and boxes that do not go together, and sizes below one."""
        if (self.prompts == "trained") != (self.boxes in ("text", "tokens")):
            raise ValueError(
                f"prompting.boxes={self.boxes} does not go with prompting.prompts={self.prompts}; trained prompts take "
                "text or tokens, A, B and C take fractions, thousandths, thousandths_yx or pixels"
            )
        for name in ("max_pixels", "multiple_px"):
            if getattr(self, name) < 1:
                raise ValueError(f"prompting.{name} must be >= 1, got {getattr(self, name)}; set a positive number")


@dataclass(frozen=True, kw_only=True)
class CaptionConfig:
    """One captioning run: images in, captions out."""

    model: str
    """Checkpoint folder of a chain, or the name of a shipped one (`nano`); with backends vllm and ray also another
    model's folder or hub name, with openai the name that the endpoint knows."""
    images: Any
    """An image file, a folder of images, a Scenes folder, or a list of such."""
    out: str = "captions"
    """Folder that receives captions.json (SA-Pancap form), captions.jsonl (everything) and errors.jsonl."""
    backend: Literal["transformers", "vllm", "ray", "openai"] = "transformers"
    """`transformers` or `vllm` in this process, `ray` for vLLM on Ray Data, `openai` for any such endpoint."""
    mode: Literal["checkpoint", "chain", "loc_tag_cap", "two_stage", "one_stage", "instances"] = "checkpoint"
    """Which road to the caption; `checkpoint` takes the one it was trained for (`chain` where it does not say)."""
    batch_size: int = 16
    """Images in flight with transformers; the others have vllm.max_in_flight and endpoint.concurrency."""
    device: Device = "auto"
    """With transformers: `auto` takes a GPU where torch sees one, else the CPU."""
    dtype: NumberFormat = "auto"
    """With transformers, number format of the model: `auto` is float32 on the CPU, on a GPU that of the checkpoint's
    files. (vllm.dtype is that of vllm and ray.)"""
    max_bad_fraction: float = 0.2
    """More images without a caption than this share of all, 0..1, end the run with code 3."""
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
    prompting: PromptingConfig = PromptingConfig()
    """How a model without pancap.json is asked."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """For backend openai."""
    vllm: VllmConfig = field(default_factory=VllmConfig)
    """For backends vllm and ray."""

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if isinstance(self.images, (list, tuple)) and not self.images:
            raise ValueError("images must name an image or a folder, got an empty list; give one")
        if self.backend != "transformers" and (self.device, self.dtype) != ("auto", "auto"):
            raise ValueError(
                f"device and dtype are for backend=transformers, got device={self.device} and dtype={self.dtype} with "
                f"backend={self.backend}; leave them out (vllm.dtype is what vllm and ray take)"
            )
        if not 0 <= self.max_bad_fraction <= 1:
            raise ValueError(f"max_bad_fraction must be in 0..1, got {self.max_bad_fraction}")
        for name in ("batch_size", "limit", "num_threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}; set a positive number")
