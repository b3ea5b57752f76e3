"""Configuration of the chain's training."""

from dataclasses import dataclass, field
from typing import Literal

from pancap.chain.config import ChainMode, ModelConfig
from pancap.chain.stages import STAGES_OF_MODE
from pancap.chain.tuples import EntityOrder


@dataclass(frozen=True, kw_only=True)
class BoxLossConfig:
    """Loss of coordinate tokens (`pancap.custom_kernels.box_loss`).

    A coordinate counts weight x (cross-entropy over the coordinates + giou x (1 - GIoU of its box) + l1 x distance).
    """

    weight: float = 0.0
    """Against a text token; 0: coordinates are plain next tokens of the whole vocabulary, without what follows, which
    scored higher in `pancap bench coordinates` (docs/LOG.md)."""
    giou: float = 0.5
    """Weight of 1 - GIoU between the true box and the expected one."""
    l1: float = 0.0
    """Weight of the distance between true and expected coordinate, as a share of the padded square."""
    sigma: float = 4.0
    """Width, in 1/1000, of the bell around the true coordinate that cross-entropy aims at; 0: the true one alone."""

    def __post_init__(self) -> None:
        """Refuses negative weights."""
        for name in ("weight", "giou", "l1", "sigma"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"loss.box.{name} must be >= 0, got {getattr(self, name)}; set 0 to turn it off")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """How much each part of the loss counts; a stage's part is the mean over its answer tokens."""

    loc: float = 1.0
    """Weight of the localization stage, or of the instances that a model lists at once."""
    tag: float = 1.0
    """Weight of the tag stage."""
    disc: float = 0.5
    """Weight of the discovery stage."""
    cap: float = 2.0
    """Weight of the caption, in the chain and alone."""
    box: BoxLossConfig = field(default_factory=BoxLossConfig)
    """Of coordinate tokens."""
    patches: float = 1.0
    """Weight of what the image tokens are asked themselves (chain/training/probe.py; coordinate tokens only)."""

    def __post_init__(self) -> None:
        """Refuses negative weights."""
        for name in ("loc", "tag", "disc", "cap", "patches"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"loss.{name} must be >= 0, got {getattr(self, name)}; set 0 to turn it off")


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Adapters on the language model (`chain.training.adapters`); checkpoints have them merged."""

    rank: int = 0
    """Of the factors; 0: no adapters, all weights are trained."""
    alpha: int = 256
    """What the adapters add counts alpha / rank."""
    dropout: float = 0.0
    """Share of the adapters' inputs that is dropped."""

    def __post_init__(self) -> None:
        """Refuses a negative rank."""
        if self.rank < 0 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"lora needs rank >= 0, alpha >= 1 and dropout in 0..1, got {self.rank}, {self.alpha} and "
                f"{self.dropout}; rank 0 turns it off"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run of the chain, or of a baseline with fewer stages."""

    data: str
    """Parquet file or folder of pancap scenes or pancap engine; or a .json: SA-Pancap's captions, or LLaVA samples with
    the chain's four prompts, as pancap engine exports them."""
    out: str
    """Folder of the run: checkpoint/, state/, metrics.jsonl, config.yaml."""
    init: str | None = None
    """Checkpoint folder to start from, or `nano` for the shipped one; its tokenizer and sizes replace `model`."""
    vision: str | None = None
    """Folder of a pretrained vision tower (pancap train vision) to start from; not together with init."""
    mode: ChainMode = "chain"
    """`chain`: four stages; `loc_tag_cap`: without discovery; `two_stage`: instances, then caption; `one_stage`: the
    caption alone, from the image alone; `instances`: tags and boxes, no caption."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes of a new model."""
    order: EntityOrder = "left_to_right"
    """Order in which entities are listed."""
    box_noise: float = 0.0
    """How rough the boxes in the tag stage's prompt are at most: standard deviation of an edge as a share of the image
    (`chain.tuples.roughen`); its answer has the true ones, so that the stage learns to correct what localization got
    roughly right. 0: boxes are copied, as published."""
    caption_noise: float = 0.0
    """How wrong the instances in the caption's prompt are: the share that is left out, and half of that share each for
    tags of another instance and for doubles; boxes as rough as box_noise says. Its answer is the true caption, so that
    the last stage learns to look again. 0: true instances, whose boxes the caption copies, as published."""
    stages: Literal["mixed", "sequential"] = "mixed"
    """`mixed`: all stages in every step; `sequential`: an equal share of the steps for one stage after another."""
    steps: int = 1000
    """Optimizer steps."""
    time_limit_s: float | None = None
    """End after so long at the latest, the learning rate having come down by then; None: by steps alone."""
    batch_size: int = 16
    """Images per step, over all workers."""
    lr: float = 1e-3
    """Peak learning rate."""
    vision_lr: float = 3e-4
    """Peak learning rate of the vision tower and the projector."""
    freeze_vision: bool = False
    """Leave the vision tower as it is and train the projector alone with the language model."""
    warmup: float = 0.03
    """Share of the run in which the rate rises; afterwards it falls along a cosine."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    loss: LossConfig = field(default_factory=LossConfig)
    """Weights of the loss."""
    max_tokens: int = 1024
    """Longest branch of an image (prompt and answer); images with a longer one are left out and counted."""
    limit: int | None = None
    """Use only the first images of the dataset."""
    images: str | None = None
    """Folder that holds the images of a .json, from which relative paths count; None: the folder of the .json."""
    cache: str | None = None
    """Folder of decoded images, to share between runs on one dataset; None: out/cache."""
    num_workers: int = 2
    """Ray Train workers, on a cluster that decodes the images too; 0 does all in this process, without Ray and
    DeepSpeed."""
    min_workers: int | None = None
    """Start, and after a death go on, with as few as that while the cluster has no room for more, and with more when it
    has again; with zero_stage=0 and float32. None: wait for num_workers."""
    threads_per_worker: int = 1
    """Torch threads of each worker."""
    zero_stage: Literal[0, 1, 2, 3] = 1
    """DeepSpeed ZeRO stage: what is shared out among workers (0 nothing, 1 optimizer state, 2 gradients too, 3 weights
    too)."""
    offload: Literal["none", "optimizer", "all"] = "none"
    """What a GPU's worker keeps in the machine's memory: the optimizer's state, or with zero_stage=3 weights too."""
    device: Literal["cpu", "cuda"] = "cpu"
    """`cuda`: one GPU for each worker."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of weights and activations; with bfloat16 the optimizer holds the weights in float32 too."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    """Adapters instead of training the language model itself; vision tower and projector as without."""
    gradient_checkpointing: bool = False
    """Keep a layer's input alone and compute the rest of it again in the backward pass."""
    images_per_pass: int | None = None
    """Images of a worker whose activations are in memory at a time, those of the others being computed again in the
    backward pass. None: all at once."""
    seed: int = 0
    """Of the weights, the order of images and the discovery splits."""
    log_every: int = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: int = 200
    """Steps between two resumable states."""
    num_to_keep: int = 2
    """Resumable states to keep."""
    resume: bool = False
    """Continue from the last complete state in out; with zero_stage=0 and float32 on any number of workers."""
    validation: str | None = None
    """Scenes folder that is not trained on (images/, captions.json): checkpoints are captioned and scored on it beside
    the training, the best is kept in out/best."""
    validation_limit: int = 100
    """Images of it that are captioned."""
    max_failures: int = 2
    """Restarts from the last state after a worker has died."""
    max_bad_steps: int = 5
    """So many steps in a row with a NaN or infinite loss end the run; single ones are skipped and counted."""

    def __post_init__(self) -> None:
        """Refuses values that cannot train."""
        for name in (
            "steps",
            "batch_size",
            "threads_per_worker",
            "log_every",
            "checkpoint_every",
            "num_to_keep",
            "validation_limit",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")
        for name in ("lr", "vision_lr", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}; set a positive number")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be in 0..1, got {self.warmup}; it is a share of the run")
        if self.num_workers < 0 or self.batch_size % max(self.num_workers, 1):
            raise ValueError(
                f"batch_size must be a multiple of num_workers, got {self.batch_size} and {self.num_workers}"
            )
        if self.min_workers is not None and not 1 <= self.min_workers <= self.num_workers:
            raise ValueError(f"min_workers must be in 1..num_workers, got {self.min_workers} and {self.num_workers}")
        if self.min_workers is not None and (self.zero_stage, self.precision) != (0, "float32"):
            raise ValueError(
                f"min_workers needs zero_stage=0 and precision=float32, got {self.zero_stage} and {self.precision}; "
                "leave it out"
            )
        if not 0 <= self.box_noise <= 1:
            raise ValueError(f"box_noise must be in 0..1, got {self.box_noise}; 0.15 is a strong one")
        if not 0 <= self.caption_noise <= 0.5:
            raise ValueError(f"caption_noise must be in 0..0.5, got {self.caption_noise}; 0.2 is a strong one")
        if self.caption_noise and "cap" not in STAGES_OF_MODE[self.mode]:
            raise ValueError(f"caption_noise needs stages before a caption, got mode {self.mode}; leave it out")
        if self.freeze_vision and not (self.init or self.vision):
            raise ValueError("freeze_vision=true without init or vision would keep random weights; give one of them")
        if self.offload != "none" and self.zero_stage < (3 if self.offload == "all" else 1):
            raise ValueError(
                f"offload={self.offload} needs zero_stage={3 if self.offload == 'all' else 1} or more, got "
                f"{self.zero_stage}; raise zero_stage"
            )
        if self.num_workers == 0 and self.offload != "none":
            raise ValueError(f"offload={self.offload} is DeepSpeed's, got num_workers=0; set it to 1")
        if self.images_per_pass is not None and self.images_per_pass < 1:
            raise ValueError(f"images_per_pass must be >= 1, got {self.images_per_pass}; set a positive number")
        if self.init and self.vision:
            raise ValueError("init and vision were both given; a checkpoint brings its own vision tower, drop one")


@dataclass(frozen=True, kw_only=True)
class LanguageTrainConfig:
    """Pretraining of the language model on lists and captions without images."""

    data: str
    """Dataset whose instances and captions are used, as for `pancap train chain`; its images are not read."""
    out: str
    """Folder of the run: checkpoint/, metrics.jsonl, config.yaml."""
    init: str | None = None
    """Checkpoint folder to start from, or `nano` for the shipped one; None: random weights."""
    vision: str | None = None
    """Folder of a pretrained vision tower that a new model takes along; not together with init."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes of a new model."""
    steps: int = 1200
    """Optimizer steps: of lists, then of lists and of captions in turn."""
    lists_alone: float = 0.5
    """Share of the steps before captions join in: copying is learned much sooner alone (docs/LOG.md)."""
    time_limit_s: float | None = None
    """End after so long at the latest, the learning rate having come down by then."""
    lists: int = 32
    """Lists in a step."""
    captions: int = 10
    """Captions in a step; about as many tokens."""
    max_instances: int = 8
    """Longest list; the shortest has two."""
    lr: float = 1e-3
    """Peak learning rate."""
    warmup: float = 0.05
    """Share of the run in which the rate rises."""
    num_threads: int = 2
    """Torch threads."""
    limit: int | None = None
    """Use only the first images of the dataset."""
    seed: int = 0
    """Of the lists."""
    log_every: int = 20
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: int = 100
    """Steps between two states."""
    resume: bool = False
    """Go on from the last state in OUT, if there is one, instead of starting anew."""

    def __post_init__(self) -> None:
        """Refuses values that cannot train."""
        for name, lowest in (
            ("steps", 1),
            ("lists", 1),
            ("captions", 1),
            ("max_instances", 2),
            ("num_threads", 1),
            ("log_every", 1),
            ("checkpoint_every", 1),
        ):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be >= {lowest}, got {getattr(self, name)}; set a larger number")
        if not 0 <= self.lists_alone <= 1:
            raise ValueError(f"lists_alone must be in 0..1, got {self.lists_alone}; 1 leaves captions out")
        if not self.lr > 0:
            raise ValueError(f"lr must be > 0, got {self.lr}; set a positive rate")
        if self.init and self.vision:
            raise ValueError("init and vision were both given; a checkpoint brings its own vision tower, drop one")


@dataclass(frozen=True, kw_only=True)
class VisionTrainConfig:
    """Pretraining of the vision tower on what each patch shows."""

    data: str
    """Parquet file or folder of pancap scenes or pancap engine; or a .json: SA-Pancap's captions, or LLaVA samples with
    the chain's four prompts, as pancap engine exports them."""
    out: str
    """Folder that receives the tower (vision.safetensors, vision.json)."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes; only the vision part is used."""
    init: str | None = None
    """Folder of an earlier tower to continue from."""
    steps: int = 2000
    """Optimizer steps."""
    time_limit_s: float | None = None
    """End after so long at the latest, the learning rate having come down by then."""
    batch_size: int = 32
    """Images per step."""
    lr: float = 1e-3
    """Peak learning rate."""
    warmup: float = 0.03
    """Share of the run in which the rate rises."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    num_threads: int = 2
    """Torch threads."""
    max_tags: int = 128
    """The most frequent tags are classes of their own, the others share one."""
    limit: int | None = None
    """Use only the first images of the dataset."""
    images: str | None = None
    """Folder that holds the images of a .json, from which relative paths count; None: the folder of the .json."""
    cache: str | None = None
    """Folder of decoded images, to share between runs on one dataset; None: out/cache."""
    seed: int = 0
    """Of the weights and the order of images."""
    log_every: int = 20
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: int = 100
    """Steps between two states."""
    resume: bool = False
    """Go on from the last state in OUT, if there is one, instead of starting anew."""

    def __post_init__(self) -> None:
        """Refuses values that cannot train."""
        for name in ("steps", "batch_size", "num_threads", "max_tags", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")
        if not self.lr > 0:
            raise ValueError(f"lr must be > 0, got {self.lr}; set a positive rate")
