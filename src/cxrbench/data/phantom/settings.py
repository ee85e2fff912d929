"""What a generated release is made from."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]


class PhantomSettings(BaseModel, frozen=True, extra="forbid"):
    """How many films, how large, and how hard; equal settings give equal bytes."""

    patients: int = Field(1000, ge=2, description="patients; each has 1 to 20 films, 2.7 on average")
    seed: int = Field(0, ge=0)
    size_px: int = Field(1024, ge=64, le=4096, description="side of the square PNGs, pixels")
    detail_px: int = Field(
        448,
        ge=32,
        description="side of the smallest input that shows small nodules; half of it leaves a third of their signal",
    )
    label_noise: Share = Field(
        0.0, description="share of present findings left unlabelled, and of labels that are false"
    )
    invisible: Share = Field(0.25, description="share of the present findings that leave no sign on the film")
    prevalence_scale: float = Field(1.0, gt=0, le=10, description="multiplies the release's prevalences")
    context: float = Field(
        1.0, ge=0, le=3, description="multiplies the log odds ratios of age, sex and view; at 0 they say nothing"
    )
    conspicuity: float = Field(1.0, gt=0, le=4, description="multiplies the contrast of every sign")

    @model_validator(mode="after")
    def _films_hold_the_detail(self) -> Self:
        """Refuse films too small for what they are to show."""
        if self.size_px < self.detail_px:
            raise ValueError(
                f"size_px {self.size_px} is less than detail_px {self.detail_px}: films so small cannot show the small "
                "nodules; make size_px at least detail_px"
            )
        return self
