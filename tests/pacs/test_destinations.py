"""Addresses of destinations."""

from pathlib import Path

import pytest

from cxrbench.errors import ConfigError
from cxrbench.pacs.destinations import Folder, Node, destination_of, node_at
from cxrbench.pacs.watcher import web_client


def test_a_node():
    assert node_at("PACS@host.example:104", own_title="CXR") == Node("PACS", "host.example", 104, "CXR")


@pytest.mark.parametrize("address", ["PACS", "PACS@host", "@host:1", "PACS@host:99999", "A" * 17 + "@host:1", "A@h:0"])
def test_no_address(address):
    with pytest.raises(ConfigError, match="expected AE@host:port"):
        node_at(address, own_title="CXR")


def test_one_destination_is_named():
    folder = Path("out")
    assert destination_of(send_to=None, folder=folder, client=None, own_title="C") == Folder(folder)
    for given in ({"send_to": None, "folder": None}, {"send_to": "A@b:1", "folder": folder}):
        with pytest.raises(ConfigError, match="name one destination"):
            destination_of(**given, client=None, own_title="C")


def test_a_login_is_one_line(tmp_path):
    (tmp_path / "login").write_text("nobody\n")
    with pytest.raises(ConfigError, match="user:password"):
        web_client("http://127.0.0.1:1", login=tmp_path / "login")
    with pytest.raises(ConfigError, match="expected a URL"):
        web_client("127.0.0.1:8042")
