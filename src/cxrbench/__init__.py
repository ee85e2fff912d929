"""Train and compare deep-learning approaches for multi-label chest X-ray classification."""

__version__ = "0.2.0.dev0"
