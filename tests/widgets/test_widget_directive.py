"""The `widget` directive: the widget's state in the page, a sentence without JavaScript, one warning for a mistake."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docutils import nodes
from twins import WIDGETS

from rlhw.widgets.softmax_policy import SoftmaxPolicy

ROOT = Path(__file__).parents[2]
SOFTMAX = "rlhw.widgets.softmax_policy:SoftmaxPolicy"


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("widget_directive", ROOT / "book/_ext/widget_directive.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_options_become_the_widget_s_values(extension):
    widget = extension.build(SOFTMAX, {"logits": "[1.5, 0, -1]", "show_step": "true"})
    assert repr(widget) == repr(SoftmaxPolicy(logits=[1.5, 0, -1], show_step=True))


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_every_widget_stands_on_a_page_with_each_of_its_options(extension, widget):
    plain = widget()
    options = {name: json.dumps(getattr(plain, name)) for name in widget.option_names()}
    page = extension.page_script(extension.build(f"{widget.__module__}:{widget.__name__}", options))
    state = json.loads(page[page.index(">") + 1 : page.rindex("<")])
    assert json.loads(json.dumps({name: getattr(plain, name) for name in options})).items() <= state.items()


@pytest.mark.parametrize(
    ("address", "options", "sentence"),
    [
        ("rlhw.widgets.softmax_policy:Softmax", {}, "There is no widget 'rlhw.widgets.softmax_policy:Softmax'"),
        ("rlhw.widgets.nothing:Nothing", {}, "There is no widget 'rlhw.widgets.nothing:Nothing'"),
        ("SoftmaxPolicy", {}, "There is no widget 'SoftmaxPolicy'; write module:Class, such as"),
        ("json:loads", {}, "There is no widget 'json:loads'"),
        (SOFTMAX, {"logit": "[1, 2, 3]"}, "SoftmaxPolicy has no option 'logit'; its options are logits, action,"),
        (
            SOFTMAX,
            {"logits": "1, 2, 3"},
            "Option 'logits' must be JSON, such as 0.5, true or [1, 0, -1]; got '1, 2, 3'.",
        ),
        (SOFTMAX, {"reward": "9"}, "SoftmaxPolicy: reward must be a number from -2 to 2; got 9."),
    ],
)
def test_a_mistake_is_one_clear_sentence(extension, address, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        extension.build(address, options)


def test_no_text_in_the_state_can_end_the_script(extension):
    widget = SoftmaxPolicy()
    widget._esm = "'</script><script>alert(1)</script><!--'"
    page = extension.page_script(widget)
    assert page.count("<") == 2
    assert json.loads(page[page.index(">") + 1 : page.rindex("<")])["_esm"] == widget._esm


def test_the_sentence_without_javascript_is_escaped(extension):
    assert "<b>" not in extension.without_javascript("SoftmaxPolicy(<b>)")


CONFIG = f"""
extensions = ["myst_nb", "widget_directive"]
root_doc, html_theme, nb_execution_mode, nb_ipywidgets_js = "widgets", "basic", "off", {{}}
html_static_path = [{str(ROOT / "book/_assets/widget_host.js")!r}]
"""
PAGES = {
    "widgets": f"# A page\n\n```{{widget}} {SOFTMAX}\n:logits: [1.5, 0, -1]\n```\n\n```{{widget}} {SOFTMAX}\n```\n",
    "words": "---\norphan: true\n---\n# A page\n\nWords only.\n",
    "mistake": f"---\norphan: true\n---\n# A page\n\n```{{widget}} {SOFTMAX}\n:colour: red\n```\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[dict[str, str], str]:
    """The pages' HTML by name, and what Sphinx warned of."""
    folder = tmp_path_factory.mktemp("directive")
    (folder / "conf.py").write_text(CONFIG, encoding="utf-8")
    for name, text in PAGES.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "--no-color", "-b", "html", str(folder), str(folder / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "book/_ext")}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return {name: (folder / f"out/{name}.html").read_text(encoding="utf-8") for name in PAGES}, run.stderr


def test_a_page_with_widgets_is_built(built):
    page = built[0]["widgets"]
    states = re.findall(r'<script type="application/x-rlhw-widget\+json">(.*?)</script>', page, flags=re.DOTALL)
    assert [json.loads(state)["logits"] for state in states] == [[1.5, 0, -1], [0.8, -0.4, 0.2]]
    assert len(re.findall(r"<script[^>]*widget_host\.js", page)) == 1
    assert page.count("<noscript>") == 2


def test_a_page_without_widgets_has_no_host_script(built):
    assert "Words only." in built[0]["words"]
    assert "widget_host.js" not in built[0]["words"]


def test_a_mistake_on_a_page_is_one_warning(built):
    pages, warnings = built
    assert len(warnings.strip().splitlines()) == 1
    assert "mistake.md:6: WARNING: SoftmaxPolicy has no option 'colour'; its options are logits, action," in warnings
    assert "This widget could not be built: SoftmaxPolicy has no option" in pages["mistake"]


def test_a_notebook_s_widget_has_a_sentence_without_javascript(extension):
    view = nodes.container(mime_type=extension.VIEW)
    plain = nodes.container("", nodes.literal_block("", "SoftmaxPolicy(action=1)"), mime_type="text/plain")
    document = nodes.container("", nodes.container("", view, plain))
    extension.add_sentences(None, document)
    assert "<noscript>" in view.astext()
    assert "SoftmaxPolicy(action=1)" in view.astext()
