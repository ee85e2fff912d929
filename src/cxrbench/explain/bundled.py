"""What a bundle looks at: one film, no study at hand."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.inputs import network_input
from cxrbench.config import HEADS, Absent
from cxrbench.data.geometry import Frame, input_frame
from cxrbench.data.images import Film
from cxrbench.errors import BundleError, ConfigError
from cxrbench.explain.activations import Asked
from cxrbench.explain.effects import EFFECTS, FeatureEffects, Weights, known_of, table_of
from cxrbench.explain.maps import USUAL_WITHOUT_CAM, Method, answered_methods, cam_problem, heat_maps
from cxrbench.explain.overlay import Rectangle, normalised
from cxrbench.models.classifier import Classifier
from cxrbench.predict import Prepared, prepare_film

Numbers = NDArray[np.float32]
T = TypeVar("T")


class Explainer:
    """A bundle's networks, asked where and why; on the CPU, in single precision.

    Without the code that builds the networks there are no heat maps, but ``seen`` and ``feature_effects`` remain.

    Attributes:
        bundle: Whose answers are explained.
        obstacle: Why there are no heat maps here, with the remedy; None where there are.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Load the networks, where their code is installed and allowed.

        Raises:
            BundleError: The weights are not those of the bundle's networks.
        """
        self.bundle, self.obstacle = bundle, bundle.code_obstacle()
        members = () if self.obstacle else bundle.members
        self._classifiers = tuple(bundle.classifier(member) for member in members)

    def require_networks(self) -> None:
        """See that heat maps can be made.

        Raises:
            BundleError: Code that builds a network is not installed, or not allowed.
        """
        if self.obstacle:
            raise BundleError(f"{self.bundle.folder}: heat maps need the network itself; {self.obstacle}")

    def methods(self, asked: Sequence[Method] = ()) -> tuple[Method, ...]:
        """Return the methods of heat maps that are asked for; for none the usual ones that all networks answer.

        Raises:
            ConfigError: A network refuses one.
            BundleError: There are no heat maps here.
        """
        self.require_networks()
        return answered_methods(asked, self._cam_problem)

    def method_for(self, asked: Method | None) -> tuple[Method, str | None]:
        """Return the method asked for, or the usual one where the networks refuse it; and then a sentence saying so.

        Raises:
            BundleError: There are no heat maps here.
        """
        usual = self.methods()[0]
        try:
            return (usual if asked is None else self.methods([asked])[0]), None
        except ConfigError as refusal:
            return usual, f"{refusal}; {usual} is used instead"

    @cached_property
    def _cam_problem(self) -> str | None:
        """Why a network has no class activation maps; None where all have."""
        members = zip(self.bundle.members, self._classifiers, strict=True)
        sized = ((classifier, member.approach.input.image_size) for member, classifier in members)
        problems = (cam_problem(classifier, image_size=size) for classifier, size in sized)
        return next((problem for problem in problems if problem is not None), None)

    def heat(self, film: Film, finding: str, *, method: Method | None = None, member: int | None = None) -> Numbers:
        """Heat map of one finding in the coordinates of the film (H, W), float32 in 0..1.

        The map's own maximum is 1, what is negative or was not seen is 0; all is 0 where nothing speaks for the
        finding. So two maps do not compare: the probability beside them says how much there is to explain.

        Args:
            film: With what is known of the patient.
            finding: One of the bundle's.
            method: Of ``maps.METHODS``; None: the first of ``methods``.
            member: Number of one network, from 0; None: the mean over all, each weighted with the slope of its
                calibration, so that all count in the same unit.

        Raises:
            ConfigError: A network refuses the method.
            BundleError: There are no heat maps here.
            ValueError: No such finding or member.
        """
        return self.heat_prepared(prepare_film(film, self.bundle.store_sizes), finding, method=method, member=member)

    def heat_prepared(
        self,
        film: Prepared,
        finding: str,
        *,
        method: Method | None = None,
        member: int | None = None,
        longest_side: int | None = None,
    ) -> Numbers:
        """As ``heat``, of a film that was shrunk before; ``longest_side`` bounds the map's size, pixels."""
        self.require_networks()
        method = method or self.methods()[0]
        maps = [
            slope * np.nan_to_num(self._frame(film, one, longest_side).to_film(cells))
            for one, slope, cells in self._cells(film, finding, method, self._chosen(member))
        ]
        return np.asarray(normalised(np.mean(maps, axis=0)), np.float32)

    def by_working_method(self, method: Method, make: Callable[[Method], T]) -> tuple[Method, T]:
        """Return what is made by a method, or by the next usual one where the networks refuse it on a film.

        Args:
            method: The method to try first.
            make: Makes heat maps by a method.

        Returns:
            The method that worked, and what was made.

        Raises:
            ConfigError: The networks refuse all of them.
        """
        candidates = tuple(dict.fromkeys((method, *USUAL_WITHOUT_CAM)))
        for candidate in candidates[:-1]:
            try:
                return candidate, make(candidate)
            except ConfigError:
                continue
        return candidates[-1], make(candidates[-1])

    def seen(self, film: Prepared) -> Rectangle:
        """What the networks see of a film; of several, the one that sees most."""
        frames = (self._frame(film, member, None) for member in self.bundle.members)
        return max((frame.seen for frame in frames), key=lambda seen: seen[2] * seen[3])

    def feature_effects(self, film: Prepared, logits: NDArray[np.floating]) -> pl.DataFrame:
        """Return how far age, sex and view each moved the bundle's probabilities of one film.

        As from ``FeatureEffects.of``; empty where a head's code is not here, so that nothing says how it weighs them.
        """
        return pl.DataFrame(schema=EFFECTS) if self._effects is None else self._effects.of(film, logits)

    @cached_property
    def _effects(self) -> FeatureEffects | None:
        if self._classifiers:
            weights: list[Weights | None] = [_feature_weights(each) for each in self._classifiers]
        else:
            weights = [_stored_feature_weights(self.bundle, member) for member in self.bundle.members]
        known = [each for each in weights if each is not None]
        return FeatureEffects(self.bundle, known) if len(known) == len(weights) else None

    def _chosen(self, member: int | None) -> list[int]:
        """Numbers of the networks that are asked."""
        everyone = list(range(len(self.bundle.members)))
        if member is not None and member not in everyone:
            raise ValueError(f"the bundle has members 0 to {everyone[-1]}, not {member}")
        return everyone if member is None else [member]

    def _cells(
        self, film: Prepared, finding: str, method: Method, chosen: list[int]
    ) -> Iterator[tuple[Member, float, Numbers]]:
        """Each chosen network with its calibration's slope and its raw map (h, w)."""
        if finding not in self.bundle.answered:
            raise ValueError(f"unknown finding {finding!r}; this bundle has: {', '.join(self.bundle.answered)}")
        column = self.bundle.findings.index(finding)
        for number in chosen:
            member, classifier = self.bundle.members[number], self._classifiers[number]
            asked = _asked(film, member, column)
            yield member, member.calibrations[finding].slope, heat_maps(classifier, asked, method)[0]

    def _frame(self, film: Prepared, member: Member, longest_side: int | None) -> Frame:
        """How the film became the network's input."""
        frame = input_frame(member.approach.input, film.height, film.width)
        return frame if longest_side is None else frame.shrunk(longest_side)


def _asked(film: Prepared, member: Member, column: int) -> Asked:
    """One film and one finding, as the member's network takes them."""
    pixels = network_input(film.squares[member.approach.input.store_size][None], member)  # (1, 1, H, W)
    features = member.feature_scaling.encode(table_of(known_of(film)))  # (1, F)
    return Asked(torch.from_numpy(pixels), torch.from_numpy(features), column)


def _feature_weights(classifier: Classifier) -> Weights:
    """What one unit of each scaled feature adds to each logit: (L, F)."""
    weights = classifier.head.feature_weights.detach()
    return np.asarray(weights.double().numpy(), np.float64)


def _stored_feature_weights(bundle: Bundle, member: Member) -> Weights | None:
    """Return the same from the weights' file, where the head is one of ours; None where it is not."""
    head = member.approach.network.head
    if isinstance(head.settings, Absent) or HEADS.find(head.name).package is not None:
        return None
    count = len(member.feature_scaling.features)
    stored = HEADS.builder(head).stored_feature_weights(load_file(bundle.weights_of(member)), count)
    return np.asarray(stored.double().numpy(), np.float64).reshape(len(bundle.findings), count)
