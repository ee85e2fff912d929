"""Backbones of the paper and the classifier built on them."""

from cxrbench.environment import make_torchvision_importable

make_torchvision_importable()  # before timm is imported
