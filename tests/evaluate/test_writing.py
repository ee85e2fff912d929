"""A folder of results is replaced as a whole, whatever happens in between."""

from pathlib import Path

import pytest

from cxrbench.evaluate.writing import replaced_folder


def write(folder: Path, text: str) -> None:
    with replaced_folder(folder) as scratch:
        (scratch / "a.csv").write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_new_replaces_the_old(tmp_path):
    folder = tmp_path / "results"
    write(folder, "old")
    (folder / "b.csv").write_text("stale")
    write(folder, "new")
    assert content(folder) == {"a.csv": "new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_an_error_leaves_the_old(tmp_path):
    folder = tmp_path / "results"
    write(folder, "old")
    with pytest.raises(RuntimeError, match="half way"), replaced_folder(folder) as scratch:  # noqa: PT012
        (scratch / "a.csv").write_text("new")
        raise RuntimeError("half way")
    assert content(folder) == {"a.csv": "old"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_killed_at_any_rename_one_of_the_two_is_whole(tmp_path, monkeypatch, killed_after):
    """Renames: scratch to new, old to earlier, new to final."""
    folder = tmp_path / "results"
    write(folder, "old")
    done = []

    def rename(path: Path, target: Path) -> Path:
        if len(done) == killed_after:
            raise KeyboardInterrupt
        done.append(path)
        return real(path, target)

    real = Path.rename
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        write(folder, "new")
    monkeypatch.undo()
    whole = [content(path) for path in tmp_path.iterdir() if path.is_dir() and not path.name.endswith(".partial")]
    assert {"a.csv": "old"} in whole or {"a.csv": "new"} in whole
    write(folder, "newer")
    assert content(folder) == {"a.csv": "newer"}
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_kill_left_is_taken_up_before_anything_else(tmp_path):
    folder = tmp_path / "results"
    write(folder, "old")
    folder.rename(tmp_path / "results.earlier")
    with pytest.raises(RuntimeError), replaced_folder(folder):  # noqa: PT012
        assert content(folder) == {"a.csv": "old"}
        raise RuntimeError
    assert content(folder) == {"a.csv": "old"}
