"""One object that a server cannot give does not keep the others from being fetched."""

import pytest
from requests import ConnectionError as Away
from requests import HTTPError, Response

from cxrbench.pacs.intake import Intake
from cxrbench.pacs.spool import Spool
from cxrbench.pacs.watcher import Watcher
from dicom_film import film_dataset


class Server:
    """One series; an object is a film, or what is raised for it."""

    def __init__(self, objects):
        self.objects = objects

    def search_for_series(self, *, search_filters, **_):
        found = {"0020000D": {"Value": ["1.1"]}, "0020000E": {"Value": ["1.2"]}, "00201209": {"Value": [1]}}
        return [found] if search_filters["Modality"] == "DX" else []

    def search_for_instances(self, *_):
        return [{"00080018": {"Value": [uid]}} for uid in self.objects]

    def retrieve_instance(self, _study, _series, uid, **_):
        if isinstance(self.objects[uid], Exception):
            raise self.objects[uid]
        return self.objects[uid]


@pytest.fixture
def watched(tmp_path, plain_film):
    film = film_dataset(plain_film)
    server = Server({"1.3": ValueError("malformed"), "1.4": HTTPError(response=Response())})
    server.objects[film.SOPInstanceUID] = film
    spool = Spool(tmp_path, "ab" * 32, most_waiting=3)
    return Watcher(server, Intake(spool), days=0, seconds=1), server, spool


def test_an_object_that_fails_is_left_for_the_next_look(watched, plain_film, caplog):
    watcher, server, spool = watched
    watcher.look()
    assert spool.is_known(list(server.objects)[-1])
    assert caplog.text.count("left for the next look") == 2
    server.objects["1.3"] = film_dataset(plain_film, SOPInstanceUID="1.3")
    watcher.look()
    assert spool.is_known("1.3")


def test_a_server_that_is_away_ends_the_look(watched):
    watcher, server, spool = watched
    server.objects["1.3"] = Away()
    with pytest.raises(Away):
        watcher.look()
    assert spool.is_empty
