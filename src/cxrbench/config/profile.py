"""Profiles: a size of everything, as published or small enough for a demonstration on a CPU."""

from typing import Any

import yaml
from pydantic import Field

from cxrbench.config.approach import Approach, with_changes
from cxrbench.config.augmentation import Augmentation
from cxrbench.config.base import Settings, packaged_names, packaged_text, parse_settings
from cxrbench.config.network import PAPER_BLOCKS, PAPER_WIDTH, ResNet
from cxrbench.errors import ConfigError

PAPER = "paper"


class Profile(Settings):
    """A size of everything: networks and images as published, or small ones for a demonstration on a CPU."""

    name: str
    summary: str
    blocks: dict[int, tuple[int, int, int, int]] = PAPER_BLOCKS
    width: int = PAPER_WIDTH
    sizes: dict[int, int] = Field({}, description="the paper's image and store sizes -> this profile's, pixels")
    overrides: dict[str, Any] = Field({}, description="paths into every approach, and values; such as recipe.epochs")
    augmentation: Augmentation | None = None
    stand_in_steps: int = Field(0, ge=0, description="steps of pre-training that stand-in weights get")

    def apply(self, approach: Approach) -> Approach:
        """Return the approach at this profile's size.

        Raises:
            ConfigError: The approach has no form of this size, or what results is not valid.
        """
        changes = {**self._sizes(approach), **self.overrides}
        if self.augmentation is not None:
            stated = self.augmentation.model_dump(mode="json", exclude_unset=True)
            changes |= {f"augmentation.{key}": value for key, value in stated.items()}
        changes |= approach.profiles.get(self.name, {})
        return with_changes(approach, {**changes, "profiles": {}})

    def _sizes(self, approach: Approach) -> dict[str, Any]:
        """Networks and images at this size."""
        own = approach.network.backbone.settings
        if not isinstance(own, ResNet):
            if self.sizes and self.name not in approach.profiles:
                raise ConfigError(
                    f"approach {approach.name}: profile {self.name} is for resnet; name a small sibling of "
                    f"{approach.network.backbone.name} in the approach, profiles: {{{self.name}: {{...}}}}, "
                    f"or use profile {PAPER}"
                )
            return {}
        if self.name in approach.profiles:
            return {}
        return {
            "network.backbone.resnet.blocks": list(own.blocks or self.blocks[own.depth]),
            "network.backbone.resnet.width": own.width * self.width // PAPER_WIDTH,
            "input.image_size": self._size(approach, "image_size"),
            "input.store_size": self._size(approach, "store_size"),
        }

    def _size(self, approach: Approach, name: str) -> int:
        """Return an approach's image or store size at this profile."""
        paper = int(getattr(approach.input, name))
        if self.sizes and paper not in self.sizes:
            known = ", ".join(str(size) for size in self.sizes)
            raise ConfigError(
                f"approach {approach.name}: profile {self.name} has no {name} for {paper}; it has {known}"
            )
        return self.sizes.get(paper, paper)


def load_profile(name: str) -> Profile:
    """Return a packaged profile by name.

    Raises:
        ConfigError: No such profile; the message lists the names.
    """
    raw = yaml.safe_load(packaged_text("profiles", name, kind="profile", names=packaged_names("profiles")))
    return parse_settings(raw, Profile, where=f"profile {name}")
