"""Residual networks of the paper, under timm's and torchvision's parameter names.

Source: He et al., doi:10.1109/CVPR.2016.90. The stride sits in the 3x3 convolution, as in the weights that
timm and torchvision release; the paper does not say where it has it.
"""

from timm.models.resnet import Bottleneck
from torch import Tensor, nn

from cxrbench.config import network
from cxrbench.models.backbone import Backbone, Layer


class ResNet(Backbone):
    """Bottleneck ResNet without its last layer.

    With ``extra_pool`` one more max-pooling follows the first bottleneck block, so that an input of
    twice the side gives every later layer the map sizes it has without.
    """

    multiple = 32
    first_conv = "conv1.weight"
    has_fine_stages = True
    has_mean_pooling = True

    def __init__(self, *, stages: tuple[int, int, int, int], width: int, channels: int, extra_pool: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.extra_pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1) if extra_pool else nn.Identity()
        self.layer1 = _stage(width, planes=width, blocks=stages[0], stride=1)
        self.layer2 = _stage(width * 4, planes=width * 2, blocks=stages[1], stride=2)
        self.layer3 = _stage(width * 8, planes=width * 4, blocks=stages[2], stride=2)
        self.layer4 = _stage(width * 16, planes=width * 8, blocks=stages[3], stride=2)
        self.channels = self.pooled = width * 32
        self.layers = _layers(width=width, first_blocks=stages[0], extra_pool=extra_pool)
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 1 or 3, H, W) to feature maps (B, C, H/32, W/32); with the extra pooling H/64, W/64."""
        x = self.maxpool(self.act1(self.bn1(self.conv1(image))))
        x = self.extra_pool(self.layer1[0](x))
        x = self.layer1[1:](x)
        maps: Tensor = self.layer4(self.layer3(self.layer2(x)))
        return maps

    def pool(self, encoded: Tensor) -> Tensor:
        """Return the mean (B, C) of the maps."""
        return encoded.mean(dim=(2, 3))

    def maps(self, encoded: Tensor) -> Tensor:
        """Return the maps as they are."""
        return encoded


def _stage(inputs: int, *, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """Bottlenecks of one stage; the first changes width and resolution."""
    outputs = planes * Bottleneck.expansion
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
    first = Bottleneck(inputs, planes, stride=stride, downsample=shortcut)
    return nn.Sequential(first, *(Bottleneck(outputs, planes) for _ in range(blocks - 1)))


def _layers(*, width: int, first_blocks: int, extra_pool: bool) -> tuple[Layer, ...]:
    """The output of each stage; of the first that of its last block, since it is called block by block."""
    strides = [4 << (extra_pool and first_blocks > 1), *(stride << extra_pool for stride in (8, 16, 32))]
    modules = [f"layer1.{first_blocks - 1}", "layer2", "layer3", "layer4"]
    widths = [width * 4 << stage for stage in range(4)]
    return tuple(map(Layer, modules, widths, strides))


def _initialise(network: nn.Module) -> None:
    """He initialisation; every residual branch starts at zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, Bottleneck):
            module.zero_init_last()


def build(settings: network.ResNet, *, channels: int, image_size: int) -> ResNet:
    """Return the network that the settings describe, with random weights from torch's current seed."""
    del image_size  # any multiple of 32
    return ResNet(stages=settings.stages, width=settings.width, channels=channels, extra_pool=settings.extra_pool)
