"""Atomic writing and digests."""

import hashlib
import json
from pathlib import Path

import pytest

from cxrbench.files import (
    atomic_file,
    atomic_folder,
    digest_file,
    digest_json,
    digest_rows,
    partial_of,
    replaced_folder,
    write_json,
    write_text,
)


def fail_after_writing(block, *inside):
    """Enter a context, write half of something there, and fail."""

    def run():
        with block as scratch:
            scratch.joinpath(*inside).write_text("half")
            raise KeyError("failed")

    with pytest.raises(KeyError):
        run()


def test_a_folder_appears_only_when_it_is_complete(tmp_path):
    final = tmp_path / "deep" / "store"
    with atomic_folder(final) as scratch:
        (scratch / "file").write_text("content")
        assert not final.exists()
    assert (final / "file").read_text() == "content"
    assert not partial_of(final).exists()


def test_a_failed_folder_leaves_nothing(tmp_path):
    final = tmp_path / "store"
    fail_after_writing(atomic_folder(final), "file")
    assert list(tmp_path.iterdir()) == []


def test_unfinished_work_is_found_again(tmp_path):
    final = tmp_path / "store"
    fail_after_writing(atomic_folder(final, keep_on_error=True), "file")
    assert not final.exists()
    with atomic_folder(final, keep_on_error=True) as scratch:
        assert (scratch / "file").read_text() == "half"
    assert (final / "file").read_text() == "half"


def test_a_finished_folder_is_not_made_twice(tmp_path):
    with pytest.raises(FileExistsError, match=str(tmp_path)), atomic_folder(tmp_path):
        pytest.fail("the block must not run")


def test_a_failed_file_keeps_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    fail_after_writing(atomic_file(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_round_trip_keeps_order_and_letters(tmp_path):
    value = {"b": [1, 2.5, None], "a": "Köln"}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.index('"b"') < text.index('"a"')
    assert "Köln" in text


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        write_json(tmp_path / "x.json", float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_digests_depend_on_content_alone(tmp_path):
    assert digest_json({"a": 1, "b": [2]}) == digest_json({"b": [2], "a": 1})
    assert digest_json([1, 2]) != digest_json([2, 1])
    (tmp_path / "x").write_bytes(b"abc")
    assert digest_file(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("rows", [[], [("a", 1)], [("é", None), ("b", 2.5)], ["one", "two"]])
def test_rows_one_by_one_have_the_digest_of_their_list(rows):
    assert digest_rows(iter(rows)) == digest_json(rows)


def replace_with(folder: Path, text: str) -> None:
    with replaced_folder(folder) as scratch:
        (scratch / "a.csv").write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_new_folder_replaces_the_old(tmp_path):
    folder = tmp_path / "results"
    replace_with(folder, "old")
    (folder / "b.csv").write_text("stale")
    replace_with(folder, "new")
    assert content(folder) == {"a.csv": "new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_an_error_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "results"
    replace_with(folder, "old")
    with pytest.raises(RuntimeError, match="half way"), replaced_folder(folder) as scratch:  # noqa: PT012
        (scratch / "a.csv").write_text("new")
        raise RuntimeError("half way")
    assert content(folder) == {"a.csv": "old"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_killed_at_any_rename_one_of_the_two_is_whole(tmp_path, monkeypatch, killed_after):
    """Renames: scratch to new, old to earlier, new to final."""
    folder = tmp_path / "results"
    replace_with(folder, "old")
    done = []

    def rename(path: Path, target: Path) -> Path:
        if len(done) == killed_after:
            raise KeyboardInterrupt
        done.append(path)
        return real(path, target)

    real = Path.rename
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        replace_with(folder, "new")
    monkeypatch.undo()
    whole = [content(path) for path in tmp_path.iterdir() if path.is_dir() and not path.name.endswith(".partial")]
    assert {"a.csv": "old"} in whole or {"a.csv": "new"} in whole
    replace_with(folder, "newer")
    assert content(folder) == {"a.csv": "newer"}
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_kill_left_is_taken_up_before_anything_else(tmp_path):
    folder = tmp_path / "results"
    replace_with(folder, "old")
    folder.rename(tmp_path / "results.earlier")
    with pytest.raises(RuntimeError), replaced_folder(folder):  # noqa: PT012
        assert content(folder) == {"a.csv": "old"}
        raise RuntimeError
    assert content(folder) == {"a.csv": "old"}
