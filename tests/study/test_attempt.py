"""One attempt of a run at a time has it, and nothing that an earlier one does reaches the run."""

import pytest
import torch

from cxrbench.files import partial_of
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.study.attempt import Attempt, TakenOverError, attempting, is_begun
from cxrbench.training import STATE_FILE, Step, epochs_done


def save(attempt, epoch):
    """What a fit leaves after an epoch."""
    attempt.scratch.mkdir(exist_ok=True)  # as writing a file atomically does
    (attempt.scratch / WEIGHTS_FILE).write_text(f"weights {epoch}")
    torch.save({"fit": {"epochs_done": epoch}}, attempt.scratch / STATE_FILE)


def stop(run, epoch):
    """An attempt that ends with an error after an epoch."""
    with attempting(run) as attempt:
        save(attempt, epoch)
        raise OSError("disk")


def stopped(run, epoch):
    with pytest.raises(OSError, match="disk"):
        stop(run, epoch)


def test_a_run_appears_when_its_attempt_succeeds(tmp_path):
    run = tmp_path / "seed-0"
    with attempting(run) as attempt:
        save(attempt, 3)
        assert not run.exists()
    assert {path.name for path in run.iterdir()} == {STATE_FILE, WEIGHTS_FILE}
    assert not partial_of(run).exists()


def test_the_next_attempt_goes_on_from_the_furthest_complete_one(tmp_path):
    run = tmp_path / "seed-0"
    assert not is_begun(run)
    stopped(run, 1)
    stopped(run, 2)
    assert is_begun(run)
    useless = partial_of(run) / "attempt-without-weights"
    useless.mkdir()
    torch.save({"fit": {"epochs_done": 9}}, useless / STATE_FILE)
    with attempting(run) as attempt:
        assert epochs_done(attempt.scratch / STATE_FILE) == 2
        assert (attempt.scratch / WEIGHTS_FILE).read_text() == "weights 2"
        assert list(partial_of(run).iterdir()) == [attempt.scratch]


@pytest.mark.parametrize(("older", "newer", "taken"), [(5, 3, 5), (3, 5, 5)])
def test_the_furthest_is_who_made_more_epochs_not_who_wrote_last(tmp_path, older, newer, taken):
    run = tmp_path / "seed-0"
    for number, epoch in enumerate((older, newer)):
        folder = partial_of(run) / f"attempt-{number}"
        folder.mkdir(parents=True)
        save(Attempt(run, folder), epoch)
    with attempting(run) as attempt:
        assert epochs_done(attempt.scratch / STATE_FILE) == taken
        assert (attempt.scratch / WEIGHTS_FILE).read_text() == f"weights {taken}"


def test_an_attempt_that_is_believed_dead_cannot_write_into_the_next_one(tmp_path):
    run = tmp_path / "seed-0"
    life = attempting(run)
    old = life.__enter__()
    save(old, 1)
    with attempting(run) as new:
        save(old, 7)  # it has not noticed
        with pytest.raises(TakenOverError, match="seed-0: another attempt took this run over"):
            old.watched(lambda step: None)(Step(2, 4, 1, 10, None))
        assert epochs_done(new.scratch / STATE_FILE) == 1
        save(new, 8)
    with pytest.raises(TakenOverError):
        life.__exit__(None, None, None)
    assert epochs_done(run / STATE_FILE) == 8
    assert list(tmp_path.iterdir()) == [run]


def test_the_error_of_an_attempt_that_was_cut_off_is_that_it_was(tmp_path):
    run = tmp_path / "seed-0"
    with pytest.raises(TakenOverError), attempting(run) as old, attempting(run):
        (old.scratch / WEIGHTS_FILE).read_text()


def test_of_two_attempts_that_are_complete_the_first_is_kept(tmp_path):
    run = tmp_path / "seed-0"
    with attempting(run) as attempt:
        save(attempt, 5)
        run.mkdir()
        (run / "config.json").write_text("of another attempt")
    assert [path.name for path in run.iterdir()] == ["config.json"]
    assert not partial_of(run).exists()


def test_steps_are_handed_on(tmp_path):
    steps = []
    with attempting(tmp_path / "seed-0") as attempt:
        attempt.watched(steps.append)(Step(0, 4, 1, 10, None))
        attempt.watched(steps.append)(Step(0, 4, 2, 10, None))
    assert [step.batch for step in steps] == [1, 2]
