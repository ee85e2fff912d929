"""What tests of studies share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """The same arithmetic here as in a run that has one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
