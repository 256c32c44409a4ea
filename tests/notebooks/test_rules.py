"""Each rule refuses what it is there for, and a good notebook passes all of them."""

import json

import pytest
from toy_notebooks import UNSET, change, code, markdown, toy, write_course

from rlhw import exercises
from rlhw.notebook_rules import VIEW, WIDGETS, verify
from rlhw.repository import as_text, setup_cell

PNG = {"data": {"image/png": "iVBORw0KGgo/home/x", "text/plain": ["<Figure>"]}, "output_type": "display_data"}


@pytest.fixture
def good(tmp_path, monkeypatch):
    """A notebook as execution leaves it: numbers, a figure, a widget and an exercise."""
    name = "toy-sum"
    monkeypatch.setattr(exercises, "names", lambda: [name])
    monkeypatch.setattr(exercises, "markdown", lambda _: "**Exercise**: add $a$ and $b$.")
    figure = code("figure", "show(figure, alt='A line.')")
    figure["outputs"] = [PNG | {"metadata": {"image/png": {"alt": "A line."}}}]
    figure["metadata"] = {"mystnb": {"image": {"alt": "A line."}}}
    widget = code("widget", "SoftmaxPolicy()")
    widget["outputs"] = [{"data": {VIEW: {"model_id": "ab12"}}, "metadata": {}, "output_type": "display_data"}]
    exercise = markdown("exercise", exercises.markdown(name), f"exercise:{name}")
    notebook = toy(
        figure, widget, exercise, code("stub", "def answer(): ..."), code("check", f'rlhw.check("{name}", 1)')
    )
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "widgets": {WIDGETS: {"state": {"ab12": {}}, "version_major": 2, "version_minor": 0}},
    }
    for count, cell in enumerate((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
    return write_course(tmp_path, notebook)


def cell(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def prints(text, name="stdout"):
    return lambda n: cell(n, "numbers").update(outputs=[{"name": name, "output_type": "stream", "text": [text]}])


def shows(mime, text):
    output = {"data": {mime: [text]}, "metadata": {}, "output_type": "display_data"}
    return lambda n: cell(n, "numbers").update(outputs=[output])


def says(text):
    return lambda n: cell(n, "title").update(source=text.splitlines(keepends=True))


def error(notebook):
    cell(notebook, "numbers")["outputs"] = [{"ename": "E", "evalue": "", "output_type": "error", "traceback": []}]


BREACHES = {
    "unexecuted": (lambda n: cell(n, "numbers").update(execution_count=None), "cell numbers: was not executed"),
    "executed out of order": (lambda n: cell(n, "numbers").update(execution_count=9), "once each from top to bottom"),
    "empty cell": (lambda n: cell(n, "numbers").update(source=[" \n"]), "cell numbers: is an empty code cell"),
    "stored error": (error, "cell numbers: holds an error (E)"),
    "stderr": (prints("careful", "stderr"), "cell numbers: wrote to stderr ('careful')"),
    "too large": (prints("0123456789" * 41_000), "bytes, more than 400,000"),
    "other setup cell": (lambda n: cell(n, "setup")["source"].append("\n1"), "first code cell is not the setup cell"),
    "no setup cell": (lambda n: n["cells"].remove(cell(n, "setup")), "first code cell is not the setup cell"),
    "setup of another address": (
        lambda n: cell(n, "setup").update(source=setup_cell("https://host.org/me/rlhw").splitlines(keepends=True)),
        "first code cell is not the setup cell",
    ),
    "setup compared": (lambda n: cell(n, "setup").update(metadata={}), "lacks the tag nbval-ignore-output"),
    "repeated id": (lambda n: cell(n, "stub").update(id="numbers"), "2 cells have the id 'numbers'"),
    "missing id": (lambda n: cell(n, "stub").pop("id"), "1 cell(s) have no id"),
    "image without alt": (
        lambda n: cell(n, "figure")["outputs"][0].update(metadata={}),
        "cell figure: shows an image without alt text",
    ),
    "image with blank alt": (
        lambda n: cell(n, "figure")["outputs"][0]["metadata"]["image/png"].update(alt=" "),
        "cell figure: shows an image without alt text",
    ),
    "alt not on the page": (lambda n: cell(n, "figure").update(metadata={}), "alt text that the page does not get"),
    "two images": (
        lambda n: cell(n, "figure")["outputs"].append(cell(n, "figure")["outputs"][0]),
        "cell figure: shows several images",
    ),
    "svg without alt": (shows("image/svg+xml", "<svg/>"), "cell numbers: shows an image without alt text"),
    "img without alt": (shows("text/html", "<img src='a.png'>"), "cell numbers: shows an <img> without alt text"),
    "img with empty alt": (shows("text/html", "<img alt='' src='a.png'>"), "shows an <img> without alt text"),
    "markdown image": (says("# A\n\n![](a.png)"), "cell title: holds an image without alt text"),
    "display mathematics": (says("# A\n\n$$x = 1$$"), "cell title: holds $$"),
    "directive": (says("# A\n\n```{note}\nx\n```"), "cell title: holds a directive of MyST"),
    "colon directive": (says("# A\n\n:::{note}\nx\n:::"), "cell title: holds a directive of MyST"),
    "colon block": (says("# A\n\n:::\nx\n:::"), "cell title: holds a ::: block of MyST"),
    "role": (says("# A\n\nsee {eq}`score`"), "cell title: holds a role of MyST ({eq})"),
    "target": (says("(a-target)=\n# A"), "cell title: holds a target of MyST"),
    "comment": (says("# A\n\n% hidden"), "cell title: holds a comment of MyST"),
    "exercise differs": (lambda n: cell(n, "exercise")["source"].append("!"), "cell exercise: differs from"),
    "exercise unknown": (
        lambda n: cell(n, "exercise").update(metadata={"tags": ["exercise:nothing"]}),
        "there is no exercise 'nothing'",
    ),
    "exercise unchecked": (lambda n: cell(n, "check").update(source=["1"]), "no code cell calls rlhw.check("),
    "other kernel": (lambda n: n["metadata"]["kernelspec"].update(name="venv"), "has the kernel 'venv'"),
    "no kernel": (lambda n: n["metadata"].pop("kernelspec"), "has the kernel None"),
    "home in a stream": (prints("saved to /home/me/x"), "shows a path of this machine ('/home/me/x')"),
    "temporary folder": (prints("'/tmp/x'"), "shows a path of this machine"),
    "windows": (prints(r"C:\Users\me"), "shows a path of this machine"),
    "path in html": (shows("text/html", "<b>/root/x</b>"), "shows a path of this machine"),
    "widget without state": (lambda n: n["metadata"].pop("widgets"), "cell widget: shows a widget whose state"),
    "other format": (lambda n: n.update(nbformat=3), "is not in notebook format 4"),
    "no cells": (lambda n: n.pop("cells"), "is not a notebook (KeyError: 'cells')"),
}

HARMLESS = {
    "braces before code": says('# A\n\nA set {a, b} and `{x}` and `f"{x}"`, (a)= b, 5 % of $\\frac{a}{b}$.'),
    "a fence with code": says('# A\n\n```python\nprint(f"{x}`")\n% not a comment\n$$\n```'),
    "an address on the web": prints("https://host.org/home/me and 1/usr/2"),
    "an image with alt": says("# A\n\n![A line that rises.](a.png)"),
    "an img with alt": shows("text/html", "<img src='a.png' alt='A line.'>"),
}


def test_a_good_notebook_passes(good):
    assert verify(good) == []


@pytest.mark.parametrize("name", BREACHES)
def test_refused(good, name):
    edit, sentence = BREACHES[name]
    change(good, edit)
    assert any(sentence in problem for problem in verify(good)), verify(good)


@pytest.mark.parametrize("name", HARMLESS)
def test_not_refused(good, name):
    change(good, HARMLESS[name])
    assert verify(good) == []


def test_a_file_that_is_no_notebook_gets_a_sentence(good):
    good.write_text("{", encoding="utf8")
    assert verify(good)[0].startswith("is not a notebook (JSONDecodeError")


def test_our_writer_writes_as_nbformat_does(good):
    import nbformat

    notebook = json.loads(good.read_text(encoding="utf8"))
    assert nbformat.writes(nbformat.reads(as_text(notebook), as_version=4)) + "\n" == as_text(notebook)
    assert UNSET in (good.parents[1] / "_config.yml").read_text(encoding="utf8")
