import os
import sys

import pytest

from cxrbench.cli import main


@pytest.fixture
def cxrbench(monkeypatch, capsys):
    """Call the command in this process; gives its exit code and what it printed."""
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
