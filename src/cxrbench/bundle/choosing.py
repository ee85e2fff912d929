"""Which runs of a study become a bundle."""

from collections.abc import Sequence
from pathlib import Path

from cxrbench.errors import BundleError
from cxrbench.runs import RunName, finished_runs


def choose_runs(
    study: Path, *, approaches: Sequence[str] = (), splits: Sequence[str] = (), seeds: Sequence[int] = ()
) -> tuple[RunName, ...]:
    """The finished runs of some approaches on some splits from some seeds.

    Args:
        study: A study's folder.
        approaches: Names; may be left out where the study has one approach only.
        splits: Names; left out, the first of each approach.
        seeds: Left out, the first of each approach and split.

    Raises:
        BundleError: No run is finished, or not all that were asked for; the message lists what there is.
    """
    runs = finished_runs(study)
    if not runs:
        raise BundleError(f"{study} has no finished run; is it the folder that `cxrbench run --out` wrote?")
    names = list(dict.fromkeys(run.approach for run in runs))
    if not approaches and len(names) > 1:
        raise BundleError(f"{study} has several approaches; choose with --approach: {', '.join(names)}")
    chosen = [run for name in approaches or names for run in _of_approach(runs, name, splits, seeds, study)]
    return tuple(dict.fromkeys(chosen))


def _of_approach(
    runs: Sequence[RunName], approach: str, splits: Sequence[str], seeds: Sequence[int], study: Path
) -> list[RunName]:
    own = [run for run in runs if run.approach == approach]
    if not own:
        names = ", ".join(dict.fromkeys(run.approach for run in runs))
        raise BundleError(f"{study} has no finished run of approach {approach!r}; it has {names}")
    wanted = [(split, seed) for split in splits or [own[0].split] for seed in seeds or [_first_seed(own, split)]]
    for split, seed in wanted:
        if RunName(approach, split, seed) not in own:
            there = ", ".join(f"{run.split} seed {run.seed}" for run in own)
            raise BundleError(f"{study} has no finished run {RunName(approach, split, seed)}; it has {there}")
    return [RunName(approach, split, seed) for split, seed in wanted]


def _first_seed(own: Sequence[RunName], split: str) -> int:
    """The lowest seed of a split; 0 where there is none, which is then said to be absent."""
    return min((run.seed for run in own if run.split == split), default=0)
