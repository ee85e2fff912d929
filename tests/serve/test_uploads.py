"""Forms are taken apart in memory, however they arrive; what is no such form is refused while it arrives."""

import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.serve.refusals import Refusal
from cxrbench.serve.uploads import Form, UploadMemory


def body(*parts, end=b"--edge--\r\n"):
    """A form of (name, content) parts."""
    return b"".join(
        b'--edge\r\nContent-Disposition: form-data; name="%s"; filename="Doe^Jane.dcm"\r\n\r\n%s\r\n' % part
        for part in parts
    ) + end  # fmt: skip


def read(content, *, allowed=("age",), cuts=()):
    form = Form(b"edge", allowed)
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        form.write(content[start:end])
    return form.upload()


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 400), max_size=8))
def test_any_film_in_any_pieces(film, cuts):
    content = body((b"film", film), (b"age", b" 62 "))
    upload = read(content, cuts=sorted(min(cut, len(content)) for cut in cuts))
    assert upload.film == film
    assert upload.fields == {"age": "62"}


@given(st.binary(max_size=400))
def test_anything_else_is_refused(content):
    with pytest.raises(Refusal):
        read(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (body((b"film", b"x"), (b"patient", b"Doe")), "unknown field 'patient'"),
        (body((b"film", b"x"), (b"film", b"y")), "'film' comes twice"),
        (body((b"age", b"62")), "no film"),
        (body((b"film", b"")), "no film"),
        (body((b"film", b"x"), (b"age", b"6" * 257)), "'age' has more than 256 bytes"),
        (body((b"film", b"x"), (b"age", b"\xff")), "not UTF-8"),
        (body((b"film", b"x"), end=b""), "breaks off"),
    ],
)
def test_what_is_wrong_is_said(content, said):
    with pytest.raises(Refusal, match=said):
        read(content)


def test_an_empty_field_was_not_sent():
    assert read(body((b"film", b"x"), (b"age", b" "))).fields == {}


def test_uploads_share_memory_and_give_it_back():
    memory = UploadMemory(100)
    with memory.lent() as first:
        first.take(60)
        with pytest.raises(Refusal, match="other uploads"), memory.lent() as second:
            second.take(50)
        assert memory.held == 60
    assert memory.held == 0


def test_nothing_of_an_upload_touches_the_disk(client, film, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    assert client.post("/v1/film", files={"film": film}).status_code == 200


@pytest.mark.parametrize("has_length", [True, False])
def test_too_large_is_refused_while_it_arrives(client, has_length):
    content = body((b"film", b"x" * 3 * 2**20))
    sent = []

    def pieces():
        for start in range(0, len(content), 2**16):
            sent.append(start)
            yield content[start : start + 2**16]

    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    if has_length:
        headers["Content-Length"] = str(len(content))
    answer = client.post("/v1/predict", content=pieces(), headers=headers)
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.json()["error"]["what"]


def test_another_content_type_is_refused(client, film):
    answer = client.post("/v1/predict", content=film, headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 415
    assert "'application/dicom'" in answer.json()["error"]["what"]
