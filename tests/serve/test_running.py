"""A real server process: clients that stall or leave hold nobody up, and SIGTERM loses no request."""

import http.client
import json
import signal
import socket
import time
from urllib.parse import urlsplit

from cxrbench.serve import ServeSettings
from cxrbench.serve.running import listen_on

EDGE = b'--edge\r\nContent-Disposition: form-data; name="film"; filename="f"\r\n\r\n'
PATIENCE_S = 90
"""Others may use the same cores."""


def request_of(film):
    body = EDGE + film + b"\r\n--edge--\r\n"
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def connect(url):
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S)


def answer_on(connection):
    """Status and document."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())


def ask(url, film):
    with connect(url) as connection:
        connection.sendall(request_of(film))
        return answer_on(connection)


def is_closed_soon(url):
    """Whether nobody is let in any more."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            connect(url).close()
        except OSError:
            return True
        time.sleep(0.1)
    return False


def queue_of(url):
    with connect(url) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("cxrbench_queue_films "))


def test_an_answer_is_sent_at_once():
    """Its body does not wait until the client has acknowledged its head."""
    with listen_on(ServeSettings(port=0)) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_clients_that_stall_hold_no_worker(server, film):
    _, url = server
    whole = request_of(film)
    stalled = [connect(url) for _ in range(8)]  # the server has one process that decodes
    for connection in stalled:
        connection.sendall(whole[: len(whole) // 2])
    status, document = ask(url, film)
    assert status == 200
    assert [one["finding"] for one in document["findings"]] == document["bundle"]["findings"] != []
    for connection in stalled:
        status, document = answer_on(connection)
        assert status == 408
        assert "silent for 6 s" in document["error"]["what"]
        connection.close()


def test_clients_that_leave_hold_no_worker(server, film):
    _, url = server
    for sent in (len(request_of(film)), 400):
        for _ in range(10):
            with connect(url) as connection:
                connection.sendall(request_of(film)[:sent])
    assert ask(url, film)[0] == 200
    until = time.monotonic() + PATIENCE_S
    while queue_of(url) and time.monotonic() < until:
        time.sleep(0.1)
    assert queue_of(url) == 0


def test_sigterm_finishes_what_is_in_flight(start_server, small_bundle, film):
    process, url = start_server({"meta": str(small_bundle)}, stall_limit_s=PATIENCE_S, time_limit_s=300)
    assert ask(url, film)[0] == 200
    whole = request_of(film)
    with connect(url) as connection:
        head, body = whole.split(b"\r\n\r\n", 1)
        connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # so the request is accepted
        connection.sendall(body[:-100])
        process.send_signal(signal.SIGTERM)
        assert is_closed_soon(url)
        connection.sendall(whole[-100:])
        status, document = answer_on(connection)
    assert status == 200
    assert [one["finding"] for one in document["findings"]] == document["bundle"]["findings"] != []
    assert process.wait(PATIENCE_S) == 0
    said = process.said.read_text()
    assert "Traceback" not in said
    assert said.count("POST /v1/predict 200") == 2
