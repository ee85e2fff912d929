"""Backbones of the paper and the classifier built on them."""
