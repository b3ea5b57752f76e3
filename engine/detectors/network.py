"""The two embedded networks: an anchor-free detector and a crop tagger. Imports torch: import it inside functions.

Shapes: B images, C channels, H and W cells, K classes, P points (cells of all levels), N crops.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
CROP_PX = 40
NUM_PLACE_FEATURES = 8


@dataclass(frozen=True, kw_only=True)
class DetectorOutput:
    """Raw heads of the detector.

    Args:
        logits_BPK: quality logits; their sigmoid estimates "this class is here" times the IoU of the box.
        sides_BP4: distances left, top, right, bottom from the point to the box's sides, in input pixels.
    """

    logits_BPK: Tensor
    sides_BP4: Tensor


def conv(num_in: int, num_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; same padding."""
    layer = nn.Conv2d(num_in, num_out, kernel, stride, padding=(kernel - 1) // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(num_out), nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    """Residual block with half the channels inside."""

    def __init__(self, channels: int) -> None:
        """Builds 1x1, 3x3, 1x1."""
        super().__init__()
        inner = channels // 2
        self.body = nn.Sequential(conv(channels, inner, kernel=1), conv(inner, inner), conv(inner, channels, kernel=1))

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Same shape in and out."""
        return features_BCHW + self.body(features_BCHW)


class GlobalContext(nn.Module):
    """Adds a summary of the whole image and the cell's place: stuff is decided by both."""

    def __init__(self, channels: int) -> None:
        """Builds the projection of the pooled features and of the place of each cell."""
        super().__init__()
        self.summary = nn.Linear(channels, channels)
        self.place = nn.Conv2d(2, channels, 1)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Same shape in and out."""
        height, width = features_BCHW.shape[-2:]
        y = torch.linspace(-1, 1, height, device=features_BCHW.device).view(1, 1, height, 1).expand(1, 1, height, width)
        x = torch.linspace(-1, 1, width, device=features_BCHW.device).view(1, 1, 1, width).expand(1, 1, height, width)
        pooled = self.summary(features_BCHW.mean(dim=(2, 3)))[:, :, None, None]
        return torch.relu(features_BCHW + pooled + self.place(torch.cat([x, y], dim=1)))


class DetectorNetwork(nn.Module):
    """Anchor-free detector on strides 8, 16 and 32 (Source: FCOS, with one quality score as in GFL).

    Args:
        num_classes: 1 for a class-agnostic detector, else one score per class.
        width: channels of the feature pyramid.
    """

    def __init__(self, num_classes: int, *, width: int = 64) -> None:
        """Builds backbone, pyramid and heads."""
        super().__init__()
        self.num_classes = num_classes
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 6, 4, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)
        )
        self.stage8 = nn.Sequential(conv(32, 64, stride=2), Bottleneck(64))
        self.stage16 = nn.Sequential(conv(64, 96, stride=2), Bottleneck(96), Bottleneck(96))
        self.stage32 = nn.Sequential(
            conv(96, 160, stride=2), Bottleneck(160), GlobalContext(160), Bottleneck(160), Bottleneck(160)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in (64, 96, 160))
        self.shared = nn.ModuleList(conv(width, width) for _ in STRIDES)
        self.quality = nn.ModuleList(nn.Conv2d(width, num_classes, 1) for _ in STRIDES)
        self.sides = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in STRIDES)
        for layer in self.quality:
            nn.init.constant_(layer.bias, -4.0)

    def forward(self, images_B3HW: Tensor) -> DetectorOutput:
        """Heads over all levels; input is RGB scaled to about -1..1, sides multiples of 32."""
        fine = self.stage8(self.stem(images_B3HW))
        middle = self.stage16(fine)
        coarse = self.stage32(middle)
        pyramid = [lateral(level) for lateral, level in zip(self.laterals, (fine, middle, coarse), strict=True)]
        pyramid[1] = pyramid[1] + nn.functional.interpolate(pyramid[2], scale_factor=2.0)
        pyramid[0] = pyramid[0] + nn.functional.interpolate(pyramid[1], scale_factor=2.0)
        logits, sides = [], []
        for index, stride in enumerate(STRIDES):
            features = self.shared[index](pyramid[index])
            logits.append(self.quality[index](features).flatten(2).transpose(1, 2))
            raw = self.sides[index](features).flatten(2).transpose(1, 2)
            sides.append(torch.exp(raw.clamp(-4.0, 4.0)) * (2 * stride))
        return DetectorOutput(logits_BPK=torch.cat(logits, dim=1), sides_BP4=torch.cat(sides, dim=1))


class TaggerNetwork(nn.Module):
    """Names a crop, seen tight and in context, with its place in the image.

    Args:
        num_classes: names of the vocabulary plus one for "none of them", which comes last.
    """

    def __init__(self, num_classes: int) -> None:
        """Builds a small convolutional trunk and a two-layer head."""
        super().__init__()
        self.trunk = nn.Sequential(
            conv(6, 32, stride=2), conv(32, 64, stride=2), Bottleneck(64), conv(64, 128, stride=2), Bottleneck(128)
        )
        self.head = nn.Sequential(
            nn.Linear(128 * 5 + NUM_PLACE_FEATURES, 160), nn.ReLU(inplace=True), nn.Linear(160, num_classes)
        )

    def forward(self, crops_N6HW: Tensor, place_NF: Tensor) -> Tensor:
        """Class logits (N, K)."""
        features = self.trunk(crops_N6HW)
        quarters = nn.functional.adaptive_avg_pool2d(features, 2).flatten(1)
        whole = features.amax(dim=(2, 3))
        return self.head(torch.cat([quarters, whole, place_NF], dim=1))


def points(height_px: int, width_px: int) -> tuple[Tensor, Tensor]:
    """Centres (P, 2: x, y) and strides (P,) of the cells of all levels, in the order of the heads."""
    centers, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height_px // stride), torch.arange(width_px // stride), indexing="ij")
        centers.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((centers[-1].shape[0],), float(stride)))
    return torch.cat(centers), torch.cat(strides)


def boxes_from_sides(centers_P2: Tensor, sides_BP4: Tensor) -> Tensor:
    """Corners (..., P, 4: x1, y1, x2, y2) in input pixels."""
    return torch.cat([centers_P2 - sides_BP4[..., :2], centers_P2 + sides_BP4[..., 2:]], dim=-1)
