"""The addresses that the page tests use: a file behind each, also below a folder whose name holds a space."""

import gzip
from urllib.request import urlopen

import pytest
from serving import on_disk, served


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "a folder with spaces"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<p>here</p>")
    (folder / "deep" / "page one.html").write_text("<p id='there'>there</p>")
    return folder


def holds(site, folder):
    page = folder / "deep" / "page one.html"
    assert site.file(site.url("deep/page%20one.html#there")) == page
    assert site.file(site.url("")) == folder / "index.html"
    assert site.file(site.url("../outside.html")) is None
    good, lost = site.url("deep/page%20one.html#there"), site.url("deep/page%20one.html#nowhere")
    assert site.broken([good]) == []
    assert site.broken([lost, site.url("lost.html")]) == [
        f"a link leads to no anchor: {lost}",
        f"a link leads to no file: {site.url('lost.html')}",
    ]


def test_from_disk(folder):
    holds(on_disk(folder), folder)


def test_by_http(folder):
    with served(folder) as site:
        holds(site, folder)


def test_compressed(folder):
    """Less comes over the wire, and the same once unpacked."""
    text = "<p>here</p>" * 100
    (folder / "index.html").write_text(text)
    for compressed in (False, True):
        with served(folder, compressed=compressed) as site, urlopen(site.url("index.html")) as answer:
            body = answer.read()
        assert (len(body) < len(text) / 4) is compressed
        assert (gzip.decompress(body) if compressed else body) == text.encode()
