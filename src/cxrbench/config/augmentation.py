"""How training images are varied."""

from typing import Self

from pydantic import Field, model_validator

from cxrbench.config.base import Settings


class Augmentation(Settings):
    """Random area, aspect, rotation and flip of training images, as one affine map."""

    area: tuple[float, float] = Field((0.08, 1.0), description="share of the image's area that is cropped")
    aspect: tuple[float, float] = Field((3 / 4, 4 / 3), description="width to height of the crop")
    rotation_degrees: float = Field(7.0, ge=0, le=180)
    flip: bool = True

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area needs 0 < low <= high <= 1; got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect needs 0 < low <= high; got {self.aspect}")
        return self
