"""Command serve: what cannot be served is one line, before anything listens."""

import socket

import pytest


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_a_bad_bundle_is_one_line(cxrbench, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    code, _, err = cxrbench("serve", tmp_path / folder)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert "is not a bundle" in err
    assert folder in err


def test_two_bundles_need_two_names(cxrbench, tmp_path):
    for parent in ("a", "b"):
        (tmp_path / parent / "bundle").mkdir(parents=True)
    code, _, err = cxrbench("serve", tmp_path / "a" / "bundle", tmp_path / "b" / "bundle")
    assert code == 2
    assert "have the same name 'bundle'; rename one" in err


@pytest.mark.parametrize(("content", "said"), [("", "is empty"), ("two words", "no blanks"), ("tök", "ASCII")])
def test_a_token_that_cannot_be_borne(cxrbench, small_bundle, tmp_path, content, said):
    (tmp_path / "token").write_text(content)
    code, _, err = cxrbench("serve", small_bundle, "--token-file", tmp_path / "token")
    assert code == 2
    assert said in err
    assert content.split(" ")[0] not in err or not content


def test_an_address_that_is_taken_is_said(cxrbench, small_bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = cxrbench("serve", small_bundle, "--port", port)
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "--port" in err


def test_an_open_address_without_a_token_is_warned_about(cxrbench, small_bundle, monkeypatch):
    served = []

    def run(server):
        served.append(server.url)
        server._socket.close()

    monkeypatch.setattr("cxrbench.serve.running.Server.run", run)
    code, out, err = cxrbench("serve", small_bundle, "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert code == 0
    assert "warning: 0.0.0.0 is open to others" in err
    assert f"serving bundle at {served[0]}" in out
