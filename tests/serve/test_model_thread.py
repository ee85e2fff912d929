"""One thread does the work: together what comes together, in order, and nothing for whoever left."""

import threading
from concurrent.futures import CancelledError

import pytest

from cxrbench.serve.model_thread import ModelThread


@pytest.fixture
def sizes():
    return []


@pytest.fixture
def thread(sizes):
    made = ModelThread(batch=4, wait_s=2, observe=sizes.append)
    yield made
    made.close()


def doubled(items):
    return [2 * item for item in items]


def tripled(items):
    return [3 * item for item in items]


def test_what_comes_together_is_done_together(sizes):
    thread = ModelThread(batch=4, wait_s=60, observe=sizes.append)
    results = [thread.submit(doubled, i) for i in range(4)]
    assert [result.result(60) for result in results] == [0, 2, 4, 6]
    assert sizes == [4]
    thread.close()


def test_a_single_item_is_not_kept_for_others(thread, sizes):
    assert thread.submit(doubled, 1).result(60) == 2
    assert sizes == [1]


def test_other_work_keeps_its_place(sizes):
    gate = threading.Event()
    thread = ModelThread(batch=4, wait_s=0, observe=sizes.append)
    held = thread.submit(lambda items: [gate.wait(60) for _ in items], 0)
    results = [thread.submit(work, i) for i, work in enumerate([doubled, tripled, doubled, doubled, doubled, doubled])]
    gate.set()
    assert held.result(60)
    assert [result.result(60) for result in results] == [0, 3, 4, 6, 8, 10]
    assert sizes == [1, 4, 1, 1]
    thread.close()


def test_an_error_belongs_to_whoever_asked(thread):
    def fail(items):
        raise ValueError(f"{len(items)} items")

    failed = thread.submit(fail, 1)
    with pytest.raises(ValueError, match="1 items"):
        failed.result(60)
    assert thread.submit(doubled, 4).result(60) == 8


def test_whoever_leaves_is_not_worked_for(sizes):
    gate, done = threading.Event(), []
    thread = ModelThread(batch=2, wait_s=0, observe=sizes.append)
    held = thread.submit(lambda items: [gate.wait(60) for _ in items], 0)
    left = thread.submit(lambda items: done.extend(items) or items, 1)
    assert left.cancel()
    gate.set()
    assert held.result(60)
    thread.close()
    assert done == []
    with pytest.raises(CancelledError):
        left.result(0)


def test_closing_finishes_what_waits():
    thread = ModelThread(batch=2, wait_s=0, observe=lambda _: None)
    results = [thread.submit(doubled, i) for i in range(9)]
    thread.close()
    assert [result.result(0) for result in results] == [2 * i for i in range(9)]
    assert not thread.is_alive
    with pytest.raises(RuntimeError, match="closed"):
        thread.submit(doubled, 1)


def test_nobody_waits_for_more_than_are_coming(sizes):
    thread = ModelThread(batch=4, wait_s=60, observe=sizes.append, coming=lambda: 2)
    results = [thread.submit(doubled, i) for i in range(2)]
    assert [result.result(60) for result in results] == [0, 2]
    assert sizes == [2]
    thread.close()
