"""A folder of pages as readers meet it: by http below a path, as GitHub Pages serves a project, and from disk."""

import gzip
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

# A project's pages stand below its name; an address that begins with a bare slash breaks there, and so it does here.
PROJECT = "/rlhw/"
PACKED = {".html", ".css", ".js", ".svg", ".json"}


class PagesHandler(SimpleHTTPRequestHandler):
    """Serves a folder below a prefix; anything else is status 404 with the body of 404.html where there is one."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments, prefix: str, compressed: bool = False, **settings):
        self.prefix, self.compressed = prefix, compressed
        super().__init__(*arguments, **settings)

    def translate_path(self, path: str) -> str:
        """The file for a request path; outside the prefix a name that cannot exist."""
        inside = urlsplit(path).path
        if not inside.startswith(self.prefix):
            return str(Path(self.directory) / "outside of the site")
        return super().translate_path("/" + inside.removeprefix(self.prefix))

    def send_head(self):
        """The answer; where `compressed` is set, text files are packed, as GitHub Pages packs them."""
        file = Path(self.translate_path(self.path))
        if not (self.compressed and file.suffix in PACKED and file.is_file()):
            return super().send_head()
        body = gzip.compress(file.read_bytes(), compresslevel=6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def send_error(self, code, message=None, explain=None):
        """Answers with the site's own page for what is not there."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.exists():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing: requests are heard in the browser."""


class Server(ThreadingHTTPServer):
    """Threads end with the test; a browser that hangs up is no error."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """A closed page drops its connections in the middle of a file."""


class Site:
    """Pages below one address: `url` of a page, `file` of a URL."""

    def __init__(self, folder: Path, address: str):
        self.folder, self.address = folder.resolve(), address

    def url(self, page: str) -> str:
        """The address of a page that is named by its path in the folder."""
        return self.address + page

    def file(self, url: str) -> Path | None:
        """The file behind an address of this site; None where the address leads out of it or to no file."""
        # Both sides unquoted: a folder's name may hold a space, which stands as %20 in its address.
        plain, home = unquote(url.partition("#")[0].partition("?")[0]), unquote(self.address)
        if not plain.startswith(home):
            return None
        path = (self.folder / plain.removeprefix(home)).resolve()
        path = path / "index.html" if path.is_dir() else path
        return path if path.is_file() and path.is_relative_to(self.folder) else None

    def broken(self, links: Iterable[str]) -> list[str]:
        """A sentence for each link of this site whose file or anchor does not exist."""
        here = urlsplit(self.address)
        found = []
        for link in dict.fromkeys(links):
            if urlsplit(link)[:2] != here[:2]:
                continue
            path, anchor = self.file(link), unquote(urlsplit(link).fragment)
            if path is None:
                found.append(f"a link leads to no file: {link}")
            elif anchor and path.suffix == ".html" and anchor not in anchors(path):
                found.append(f"a link leads to no anchor: {link}")
        return found

    def gzip_weight(self, urls: Iterable[str]) -> int:
        """Bytes after gzip of all files of this site among `urls`, each counted once."""
        return sum(compressed_size(path) for path in {self.file(url) for url in urls} - {None})


@cache
def anchors(path: Path) -> frozenset[str]:
    """The ids (and names of old-style anchors) in an HTML file."""
    return frozenset(re.findall(r"""\s(?:id|name)=["']([^"']+)["']""", path.read_text(encoding="utf-8")))


@cache
def compressed_size(path: Path) -> int:
    """Bytes of a file after gzip, as a web server sends it."""
    return len(gzip.compress(path.read_bytes(), compresslevel=6))


@contextmanager
def served(folder: Path, prefix: str = PROJECT, compressed: bool = False) -> Iterator[Site]:
    """`folder` by http on a free port of this machine, below `prefix`; as it is, or compressed."""
    handler = partial(PagesHandler, directory=str(folder), prefix=prefix, compressed=compressed)
    with Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Site(folder, f"http://127.0.0.1:{server.server_address[1]}{prefix}")
        finally:
            server.shutdown()
            thread.join()


def on_disk(folder: Path) -> Site:
    """`folder` as file:// addresses."""
    return Site(folder, folder.resolve().as_uri() + "/")
