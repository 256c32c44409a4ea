"""A real Label Studio server on this machine, for as long as a `with` block lasts, and the few calls that the tests make.

It runs in an environment of its own (`make test-labelstudio` makes it), listens on 127.0.0.1 only, keeps its data in a folder
that is thrown away, and is told to report nothing to anybody.
"""

import contextlib
import http.cookiejar
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# `make test-labelstudio` puts it there; the variable names another that is installed already.
PROGRAM = Path(os.environ.get("LABEL_STUDIO") or ROOT / ".venv-labelstudio/bin/label-studio")
ADMIN, PASSWORD = "one@example.org", "not-a-secret-1"
STARTS_WITHIN = 600  # seconds; it makes its database first
QUIET = {
    "COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "", "LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "false",
}  # fmt: skip


class Account:
    """One annotator's way to the server: the token goes along with each call."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = address, token

    def call(self, method: str, path: str, body: object = None) -> object:
        """The parsed JSON of the answer. AssertionError with what the server said where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        head = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data, head, method=method)
        try:
            with OPENER.open(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def new_project(self, title: str, config: str, tasks: list[dict]) -> int:
        """The number of a new project with this labelling config, these tasks imported."""
        project = self.call("POST", "/api/projects/", {"title": title, "label_config": config})["id"]
        imported = self.call("POST", f"/api/projects/{project}/import", tasks)
        assert imported["task_count"] == len(tasks)
        return project

    def tasks(self, project: int) -> list[dict]:
        """The project's tasks, in the order in which they were imported."""
        found = self.call("GET", f"/api/tasks?project={project}&page_size=1000")
        tasks = found["tasks"] if isinstance(found, dict) else found
        return sorted(tasks, key=lambda task: task["id"])

    def annotate(self, task: dict, result: list[dict], seconds: float, *, skip: bool = False) -> dict:
        """What the page sends when this account submits (or skips) a task."""
        body = {"result": result, "lead_time": seconds, "was_cancelled": skip}
        return self.call("POST", f"/api/tasks/{task['id']}/annotations/", body)

    def change(self, annotation: dict, result: list[dict]) -> dict:
        """What the page sends when this account submits another result for the same annotation."""
        return self.call("PATCH", f"/api/annotations/{annotation['id']}/", {"result": result})

    def export(self, project: int, form: str) -> list[dict]:
        """The whole project as JSON or JSON_MIN, tasks without a label included."""
        return self.call("GET", f"/api/projects/{project}/export?exportType={form}&download_all_tasks=true")


# No proxy stands between this machine and itself.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def pairwise(selected: object) -> list[dict]:
    """The result of a click on one of the answers."""
    return [
        {"from_name": "preference", "to_name": "preference", "type": "pairwise", "value": {"selected": selected}}
    ]  # fmt: skip


def tie() -> list[dict]:
    """The result of a click on the box "tie"."""
    return [{"from_name": "tie", "to_name": "prompt", "type": "choices", "value": {"choices": ["tie"]}}]


@contextlib.contextmanager
def server(program: Path, folder: Path) -> Iterator[tuple[Account, Account]]:
    """Two accounts of a server that `program` starts with its data in `folder`; it is stopped whatever happens in the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(20)
    command = [
        program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", port, "--data-dir", folder,
        "--username", ADMIN, "--password", PASSWORD, "--user-token", token, "--enable-legacy-api-token",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    log = folder / "log.txt"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment | QUIET | {"LABEL_STUDIO_BASE_DATA_DIR": str(folder)},
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, process, log)
        yield Account(address, token), Account(address, _sign_up(address, "two@example.org"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended: {log.read_text(errors='replace')[-3000:]}"
        with contextlib.suppress(OSError), OPENER.open(f"{address}/health", timeout=5):
            return
        time.sleep(0.5)
    raise AssertionError(
        f"no answer from the server within {STARTS_WITHIN} s: {log.read_text(errors='replace')[-3000:]}"
    )


def _sign_up(address: str, email: str) -> str:
    """Make an account as a person does, on the sign-up page; its token."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    page = browser.open(f"{address}/user/signup/", timeout=60).read().decode()
    secret = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    form = {"csrfmiddlewaretoken": secret, "email": email, "password": PASSWORD, "allow_newsletters": "false"}
    data = urllib.parse.urlencode(form).encode()
    browser.open(urllib.request.Request(f"{address}/user/signup/", data, {"Referer": address}), timeout=60).read()
    answer = browser.open(f"{address}/api/current-user/token", timeout=60)
    return json.loads(answer.read())["token"]
