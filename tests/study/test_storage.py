"""A study whose nodes see nothing but an object store: the same runs, wherever and however often they are begun."""

import json
import os
import shutil
from dataclasses import replace
from uuid import uuid4

import fsspec
import pytest
import torch

from cxrbench.config import StudySettings
from cxrbench.errors import StudyError
from cxrbench.files import partial_of
from cxrbench.runs import PARTS, WEIGHTS_FILE, finished_runs, predictions_file
from cxrbench.study import carry_out, make_plan, prepare_study, storage
from cxrbench.study.attempt import attempting
from cxrbench.study.storage import Away, Storage, perform_away, pull_run, run_place, send_study
from cxrbench.training import STATE_FILE, Step, epochs_done


@pytest.fixture(params=["memory", "file", "s3"])
def url(request, tmp_path):
    """An object store within this process, one of files, and a server that acts as S3."""
    if request.param == "s3":
        request.getfixturevalue("acting_as_s3")
    elsewhere = {"memory": "memory:/", "file": f"file://{tmp_path}", "s3": "s3:/"}[request.param]
    yield f"{elsewhere}/bucket-{uuid4().hex}/study"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="module")
def acting_as_s3():
    """A server on this machine that the names of buckets lead to."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = pytest.importorskip("moto.server", reason="needs moto[s3], flask and flask-cors").ThreadedMotoServer(
        "127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    settings = {"ENDPOINT_URL": f"http://{host}:{port}", "DEFAULT_REGION": "us-east-1"}
    nobody = {"ACCESS_KEY_ID": "of-nobody", "SECRET_ACCESS_KEY": "of-nobody"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | nobody).items():
            patch.setenv(f"AWS_{name}", value)
        for name in ("NO_PROXY", "no_proxy"):  # where packages come through one
            patch.setenv(name, host)
        yield
    server.stop()


@pytest.fixture(scope="module")
def planned(make_archive, tmp_path_factory):
    """A study of one run, and the same study with it made here."""
    folder = tmp_path_factory.mktemp("study")
    films = make_archive(folder / "films", patients=12)
    plans = []
    for name in ("here", "away"):
        settings = StudySettings(
            data=films,
            out=folder / name,
            approaches=("1channel-meta",),
            profile="small",
            splits={"resamples": 1},
            recipe={"epochs": 3},
        )
        plans.append(make_plan(prepare_study(settings)))
    assert [outcome.failure for outcome in carry_out(plans[0])] == [None]
    return folder / "here", plans[1].to_do[0]


@pytest.fixture
def task(planned, tmp_path):
    """The run to do, in a copy of its study."""
    study = tmp_path / "study"
    shutil.copytree(planned[1].study, study)
    return replace(planned[1], study=study, store=study / "store")


def assert_equals_a_local_run(planned, study):
    here = planned[0]
    assert finished_runs(study) == finished_runs(here)
    for name in finished_runs(here):
        for part in PARTS[1:]:
            file = predictions_file(part)
            assert (name.folder(here) / file).read_bytes() == (name.folder(study) / file).read_bytes()


def test_a_run_that_is_made_away_equals_a_local_one(planned, task, url, tmp_path):
    away = send_study(url, tmp_path / "node", [task])
    assert perform_away(task, away).failure is None
    assert pull_run(away.storage, task)
    assert_equals_a_local_run(planned, task.study)
    assert not list((tmp_path / "node").rglob(f"seed-0/{task.config.hash[:16]}*"))
    assert away.storage.pull_object(f"begun/{run_place(task)}.tar") is None
    assert perform_away(task, away).seconds == 0.0
    shutil.rmtree(task.study / "runs")
    send_study(url, None, [task])  # a study that is started again takes what is complete
    assert_equals_a_local_run(planned, task.study)


def test_studies_of_other_settings_do_not_take_each_others_runs_on_a_node(task, url, tmp_path, monkeypatch):
    away = send_study(url, tmp_path / "node", [task])
    other = replace(task, config=task.config.model_copy(update={"seed": 1}))

    def refuse(*_):
        raise OSError("no bucket")

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "push_folder", refuse)
        with pytest.raises(OSError, match="no bucket"):
            perform_away(task, away)
    assert perform_away(other, away).failure is None
    assert pull_run(away.storage, other)
    assert json.loads((task.folder / "config.json").read_text())["hash"] == other.config.hash
    assert not away.storage.has(run_place(task))


def test_a_lost_run_goes_on_on_another_node(planned, task, url, tmp_path, monkeypatch):
    steps = []

    class Lost(BaseException):
        """The node."""

    def losing(own, *, report):
        def checked(step):
            report(step)
            if (step.epoch, step.batch) == (2, 1):
                raise Lost

        return perform(own, report=checked)

    def watched(own, *, report):
        def noting(step):
            steps.append(step.epoch)
            report(step)

        return perform(own, report=noting)

    perform = storage.perform
    away = send_study(url, tmp_path / "node-1", [task])
    monkeypatch.setattr(storage, "perform", losing)
    with pytest.raises(Lost):
        perform_away(task, away)
    assert not pull_run(away.storage, task)
    monkeypatch.setattr(storage, "perform", watched)
    other = Away(Storage(url, tmp_path / "node-2"), away.shared)
    assert perform_away(task, other).failure is None
    assert set(steps) == {2}
    assert pull_run(other.storage, task)
    assert_equals_a_local_run(planned, task.study)


def test_a_state_that_came_further_elsewhere_wins_over_one_of_this_node(task, url, tmp_path):
    away, own = Storage(url, tmp_path / "node"), replace(task, place="run")
    there = tmp_path / "there"
    for folder, epoch in ((partial_of(own.folder) / "attempt-0", 1), (there, 2)):
        folder.mkdir(parents=True)
        (folder / WEIGHTS_FILE).write_text(f"weights {epoch}")
        torch.save({"fit": {"epochs_done": epoch}}, folder / STATE_FILE)
    sent = replace(task, study=tmp_path, place="sent")
    shutil.copytree(there, partial_of(sent.folder) / "attempt-0")
    storage._sending(away, sent)(Step(2, 3, 1, 9, None))
    storage._lay_begun(away, own)
    with attempting(own.folder) as attempt:
        assert epochs_done(attempt.scratch / STATE_FILE) == 2


def test_a_fetched_run_holds_nothing_of_attempts(task, url, tmp_path):
    own = Storage(url, tmp_path / "node")
    own.push_files({"config.json": task.study / "study.json"}, run_place(task))
    attempt = partial_of(task.folder) / "attempt-0"
    attempt.mkdir(parents=True)
    (attempt / STATE_FILE).write_text("of this machine")
    assert pull_run(own, task)
    assert [path.name for path in task.folder.rglob("*")] == ["config.json"]
    assert list(task.folder.parent.iterdir()) == [task.folder]


def test_the_usual_cache_is_of_this_user_alone(tmp_path, monkeypatch):
    folder = storage.own_cache(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert storage.own_cache(tmp_path) == folder
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    (tmp_path / f"cxrbench-{mine + 1}").mkdir()
    with pytest.raises(StudyError, match=rf"cxrbench-{mine + 1}: not a folder of user {mine + 1}.*cluster\.cache"):
        storage.own_cache(tmp_path)


def test_a_usual_cache_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / f"cxrbench-{os.getuid()}").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(StudyError, match=f"cxrbench-{os.getuid()}: not a folder of user"):
        storage.own_cache(tmp_path)


def test_a_folder_without_its_mark_does_not_count(task, url, tmp_path):
    own = Storage(url, tmp_path / "node")
    own.push_object(b"half", f"{run_place(task)}/config.json")
    assert not own.has(run_place(task))
    assert not pull_run(own, task)


def test_a_run_of_other_settings_does_not_count(task, url, tmp_path):
    own = Storage(url, tmp_path / "node")
    own.push_files({"config.json": task.study / "study.json"}, run_place(task))
    assert own.has(run_place(task))
    changed = replace(task, config=task.config.model_copy(update={"seed": 1}))
    assert not own.has(run_place(changed))


def test_a_file_that_is_not_the_one_that_was_sent_is_refused(task, url, tmp_path):
    away = send_study(url, tmp_path / "node", [task])
    away.storage.push_object(b"other", f"{away.shared}/table.parquet")
    with pytest.raises(StudyError, match=rf"{away.shared}/table\.parquet: not the file that was sent; remove"):
        perform_away(task, away)
    assert not (tmp_path / "node" / away.shared).exists()
    assert not partial_of(tmp_path / "node" / away.shared).exists()


def test_storage_that_cannot_be_used_is_one_line(task, monkeypatch):
    def refuse(*_):
        raise OSError("no keys\nat all")

    monkeypatch.setattr(Storage, "push_files", refuse)
    with pytest.raises(StudyError, match=r"^storage memory://x cannot be used \(OSError\(.no keys.*\); see to"):
        send_study("memory://x", None, [task])


def test_a_damaged_run_in_the_storage_does_not_keep_a_study_from_starting(task, url, tmp_path):
    away = send_study(url, tmp_path / "node", [task])
    assert perform_away(task, away).failure is None
    away.storage.push_object(b"other", f"{run_place(task)}/config.json")
    assert send_study(url, None, [task]).shared == away.shared
    with pytest.raises(StudyError, match=r"config\.json: not the file that was sent"):
        pull_run(away.storage, task)


def test_what_runs_share_is_sent_once(task, url, tmp_path, monkeypatch):
    away = send_study(url, tmp_path / "node", [task])
    monkeypatch.setattr(Storage, "push_files", lambda *_: pytest.fail("sent twice"))
    assert send_study(url, tmp_path / "node", [task]) == away
    digests = json.loads(away.storage.pull_object(f"{away.shared}/complete.json"))
    assert {name.partition("/")[0] for name in digests} == {"table.parquet", "splits", "store"}


def test_a_kind_of_storage_that_is_unknown_is_said():
    with pytest.raises(StudyError, match="storage nowhere://x: Protocol not known: nowhere"):
        Storage("nowhere://x").has("runs")
