"""Stored outputs are a function of the notebook: executing again changes no byte."""

import json
import re
import shutil
from pathlib import Path

import pytest
from toy_notebooks import DRAWS, PRINTS, SLIDES, bare, change, code, toy, write_course

from rlhw import notebooks, repository
from rlhw.notebook_rules import WIDGETS

ROOT = Path(__file__).parents[2]
REAL = repository.executed_notebooks(ROOT)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A toy notebook with numbers, a figure and widgets, executed once."""
    cells = code("figure", DRAWS), code("widgets", SLIDES), code("more", SLIDES)
    path = write_course(tmp_path_factory.mktemp("course"), toy(*cells))
    assert notebooks.execute(path)
    return path


def read(path):
    return json.loads(path.read_text(encoding="utf8"))


def test_second_run_changes_no_byte_and_does_not_touch_the_file(executed):
    before, written = executed.read_bytes(), executed.stat().st_mtime_ns
    assert not notebooks.execute(executed)
    assert executed.read_bytes() == before
    assert executed.stat().st_mtime_ns == written


def test_two_threads_and_a_path_with_a_space_change_no_byte(executed, tmp_path):
    copy = write_course(tmp_path / "a folder", read(executed))
    notebooks.execute(copy, threads=2)
    assert copy.read_bytes() == executed.read_bytes()


def trains(path: Path) -> bool:
    """Whether a notebook trains a model: on two threads its sums are rounded otherwise, and its runs end elsewhere."""
    code = "".join("".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "code")
    return "torch" in code or "rlhw.clinic" in code or "import clinic" in code


def assert_the_same_twice(path: Path, folder: Path, threads: int) -> None:
    """Two executions, in two folders, the second on so many threads: the same bytes, and what is committed."""
    first, second = executed_in(folder / "first", path, 1), executed_in(folder / "a second folder", path, threads)
    assert first.read_bytes() == second.read_bytes()
    assert_as_committed(first, path)


def executed_in(folder: Path, path: Path, threads: int) -> Path:
    """A copy of a notebook in a folder of its own, executed there."""
    folder.mkdir()
    copy = Path(shutil.copy(path, folder))
    notebooks.execute(copy, threads=threads)
    return copy


def assert_as_committed(executed: Path, path: Path) -> None:
    assert lasting(read(executed)) == lasting(read(path)), "run `make notebooks`, look at the change, and commit it"


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in REAL if not trains(path)], ids=lambda path: path.name)
def test_real_notebooks_come_out_the_same(path, tmp_path):
    assert_the_same_twice(path, tmp_path, threads=2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", [path for path in REAL if trains(path)], ids=lambda path: path.name)
def test_training_notebooks_come_out_the_same(path, tmp_path):
    """Once each, five minutes in all: the committed one is the other execution. The quickest stands for their pictures."""
    if path.stem == "09_without_a_critic":
        assert_the_same_twice(path, tmp_path, threads=1)
    else:
        assert_as_committed(executed_in(tmp_path / "first", path, 1), path)


def lasting(notebook):
    """A notebook without what another machine may change: the printed versions, and the pixels of its pictures."""
    for cell in notebook["cells"]:
        if "nbval-ignore-output" in cell["metadata"].get("tags", []):
            cell["outputs"] = []
        for output in cell.get("outputs", []):
            for mime in output.get("data", {}):
                if mime.startswith("image/"):
                    output["data"][mime] = "an image"
    return notebook


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_notebooks_pass_every_rule(path):
    assert notebooks.verify(path) == []


def test_an_output_that_varies_is_seen(tmp_path):
    """The control of the tests above: a clock in a cell makes two runs differ."""
    path = write_course(tmp_path, bare(code("clock", "import time\ntime.time_ns()")))
    assert notebooks.execute(path)
    assert notebooks.execute(path)


def test_addresses_are_scrubbed_in_outputs_and_kept_in_sources(executed):
    cell = read(executed)["cells"][2]
    assert cell["outputs"][-1]["data"]["text/plain"] == ["<object at 0x0>"]
    assert "".join(cell["source"]) == PRINTS


def test_alt_text_reaches_the_cell_where_the_page_looks_for_it(executed):
    figure = next(cell for cell in read(executed)["cells"] if cell["id"] == "figure")
    assert figure["metadata"]["mystnb"]["image"]["alt"] == "A random walk of sixty steps."


def test_widget_state_holds_what_is_shown_and_no_more(executed):
    text = executed.read_text(encoding="utf8")
    state = read(executed)["metadata"]["widgets"][WIDGETS]["state"]
    shown = [model["state"].get("description") for model in state.values()]
    assert shown.count("step") == 2
    assert "unseen" not in shown
    assert set(re.findall(r"IPY_MODEL_(\w+)", text)) <= set(state)
    layouts = [model["state"] for model in state.values() if model["model_name"] == "LayoutModel"]
    assert layouts
    assert all(None not in layout.values() for layout in layouts)


def test_metadata_names_no_machine_and_no_time(executed):
    notebook = read(executed)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python", "pygments_lexer": "ipython3"}
    assert not any("execution" in cell["metadata"] for cell in notebook["cells"])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "the kernel died"),
        ("open('left.txt', 'w').close()", r"leaves files behind \(left.txt\)"),
    ],
    ids=["raises", "dies", "litters"],
)
def test_a_failing_cell_is_named_and_the_file_left_alone(tmp_path, source, sentence):
    path = write_course(tmp_path, bare(code("culprit", source)))
    before = path.read_bytes()
    with pytest.raises(notebooks.NotebookError, match=sentence) as caught:
        notebooks.execute(path)
    assert "01_toy.ipynb" in str(caught.value)
    assert "culprit" in str(caught.value) or "leaves" in sentence
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_repeated_ids_are_refused_before_anything_runs(tmp_path):
    path = write_course(tmp_path, bare(code("numbers", "1"), code("numbers", "2")))
    with pytest.raises(notebooks.NotebookError, match="2 cells have the id 'numbers'"):
        notebooks.execute(path)


def test_without_nbclient_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "find_spec", lambda name: None if name == "nbclient" else name)
    with pytest.raises(ModuleNotFoundError, match=r"needs nbclient: run pip install 'rlhw\[dev\]'"):
        notebooks.execute(write_course(tmp_path, toy()))


def test_main_execute_prints_a_line_each_and_the_problems(executed, tmp_path, capsys):
    noisy = write_course(tmp_path, bare(code("culprit", "import sys; print('oh', file=sys.stderr)")), "02_noisy.ipynb")
    broken = write_course(tmp_path, bare(code("culprit", "1 / 0")), "03_broken.ipynb")
    assert notebooks.main_execute([noisy, broken, executed]) == 1
    out = capsys.readouterr().out
    assert f"[1/3] {noisy} rewritten (" in out
    assert "    cell culprit: wrote to stderr ('oh')" in out
    assert f"[2/3] {broken} FAILED (" in out
    assert f"    {broken}, cell culprit: ZeroDivisionError: division by zero" in out
    assert out.splitlines()[-1].startswith(f"[3/3] {executed} unchanged (")


def test_main_verify_prints_a_line_each(executed, tmp_path, capsys):
    bad = write_course(tmp_path, read(executed))
    change(bad, lambda notebook: notebook["cells"][2].update(execution_count=None))
    assert notebooks.main_verify([executed]) == 0
    assert notebooks.main_verify([executed, bad]) == 1
    out = capsys.readouterr().out
    assert f"{executed} ok\n{bad} FAILED\n    cell numbers: was not executed" in out


def test_without_names_all_notebooks_of_the_course_are_taken(executed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(executed.parent)
    assert notebooks.main_verify() == 0
    assert capsys.readouterr().out == "01_toy.ipynb ok\n"
    with pytest.raises(FileNotFoundError, match=r"no such notebook: nothing\.ipynb"):
        notebooks.main_verify(["nothing.ipynb"])
    (tmp_path / "_config.yml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no notebook in the folder notebooks of"):
        notebooks.main_execute()
