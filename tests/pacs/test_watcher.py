"""One object that a server cannot give does not keep the others from being fetched."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from requests import ConnectionError as Away
from requests import HTTPError, Response

from cxrbench.pacs.intake import Intake
from cxrbench.pacs.spool import Spool
from cxrbench.pacs.watcher import Watcher, web_client
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


MEGABYTE = 2**20
HUGE = 64 * MEGABYTE


class Huge(BaseHTTPRequestHandler):
    """A DICOMweb server whose one object is huge."""

    says_length = True
    sent: list[int] = []  # noqa: RUF012 - of all requests

    def do_GET(self):
        if not self.path.endswith("/instances/1.3"):
            found = {"0020000D": {"vr": "UI", "Value": ["1.1"]}, "0020000E": {"vr": "UI", "Value": ["1.2"]}}
            found |= {"00080018": {"vr": "UI", "Value": ["1.3"]}, "00201209": {"vr": "IS", "Value": [1]}}
            listed = [found] if "offset=" not in self.path or "offset=0" in self.path else []
            self.head("application/dicom+json", len(body := json.dumps(listed).encode()))
            self.wfile.write(body)
            return
        self.head('multipart/related; type="application/dicom"; boundary=b', HUGE if self.says_length else None)
        self.sent.append(0)
        for _ in range(HUGE // MEGABYTE):
            try:
                self.wfile.write(bytes(MEGABYTE))
            except OSError:
                return
            self.sent[-1] += 1

    def head(self, kind, length):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("says_length", [True, False])
def test_an_object_beyond_the_limit_is_given_up_while_it_comes(tmp_path, caplog, monkeypatch, says_length):
    monkeypatch.setattr(Huge, "says_length", says_length)
    monkeypatch.setattr(Huge, "sent", [])
    spool = Spool(tmp_path, "ab" * 32, most_waiting=3)
    with ThreadingHTTPServer(("127.0.0.1", 0), Huge) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = web_client(f"http://127.0.0.1:{server.server_port}", most_mb=2)
        watcher = Watcher(client, Intake(spool), days=0, seconds=1)
        watcher.look()
        watcher.look()
        server.shutdown()
    assert "left out: more than 2 MB" in caplog.text
    assert spool.is_empty
    assert len(Huge.sent) == 1  # it is not asked for again
    assert Huge.sent[0] < HUGE // MEGABYTE / 2
