"""Every widget under Colab's ipywidgets and under the newest: it is made, its traits go both ways, its saved state shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from colab.colab_environments import environment, listed, surroundings
from conftest import STATE, saved_widgets
from package_widgets import another, made, widget_classes
from playwright.sync_api import Page, expect
from save_states import SHOWN, show

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(2400)]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Runs in a notebook. What the page sends, Python has; what Python sets, is in the saved state.
CELL = """
from package_widgets import another, made, widget_classes
widget = widget_classes()[{index}]
name, value = another(widget)
sent, set_here = made(widget), made(widget)
sent._handle_msg(dict(content=dict(data=dict(method="update", state={{name: value}}, buffer_paths=[])), buffers=[]))
assert getattr(sent, name) == (tuple(value) if isinstance(getattr(sent, name), tuple) else value)
setattr(set_here, name, value)
set_here
"""
EXECUTE = """
import json, sys, ipywidgets, nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)])
manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
NotebookClient(notebook, km=manager, timeout=120).execute(cleanup_kc=True)
print(json.dumps([ipywidgets.__version__, notebook.metadata.widgets, [cell.outputs[-1].data for cell in notebook.cells]]))
"""


@pytest.fixture(scope="module", params=["colab", "newest"])
def executed(request) -> tuple[dict, list[str]]:
    """The saved states of a notebook that shows each widget, and the model ids of its views."""
    python, variables = sys.executable, dict(os.environ)
    if request.param == "colab":
        parent = environment("image")
        python, variables = str(parent / "bin" / "python"), surroundings(parent)
    paths = [variables.get("PYTHONPATH", ""), str(ROOT), str(HERE)]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    cells = [CELL.format(index=index) for index in range(len(widget_classes()))]
    run = subprocess.run(
        [python, "-c", EXECUTE], input=json.dumps(cells), env=variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    version, widgets, outputs = json.loads(run.stdout.splitlines()[-1])
    assert (version == listed()["ipywidgets"]) is (request.param == "colab")
    return widgets[STATE]["state"], [data["application/vnd.jupyter.widget-view+json"]["model_id"] for data in outputs]


@pytest.mark.parametrize("index", range(len(widget_classes())), ids=[widget.__name__ for widget in widget_classes()])
def test_what_a_notebook_saved_shows_on_a_page(index, executed, write_page, same_page: Page):
    (states, views), widget = executed, widget_classes()[index]
    name, value = another(widget)
    state = states[views[index]]["state"]
    assert state[name] == value, "what Python set is saved"
    assert state["_esm"] == widget._esm
    same_page.goto(write_page(saved_widgets({"one": {"state": state}}, ["one"])).as_uri())
    expect(same_page.locator(".rlhw-words")).to_have_count(1)
    shown = same_page.evaluate(SHOWN)
    same_page.goto("about:blank")
    assert shown == show(same_page, made(widget).page_state() | {name: value})
    assert shown["words"] != [""]
