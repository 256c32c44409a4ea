"""The pages in a browser: readable in light and dark, wide and on a phone, with a screen reader, and asking for nothing."""

import pytest
from browser.page_audit import AXE
from graded_samples import ASSIGNMENT, a_class

from rlhw.grading import report

pytestmark = pytest.mark.browser
MARKS = {"bob": {"explain-gae": (3.0, "Why?")}}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    report.write(a_class(), ASSIGNMENT, out, manual=MARKS)
    return out


@pytest.mark.parametrize(("theme", "width"), [("light", 1200), ("dark", 390)])
def test_the_pages_are_readable(browser, out, theme, width):
    # axe is a script: for it alone the page's policy is set aside.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=True)
    page, requested = context.new_page(), []
    page.on("request", lambda request: requested.append(request.url))
    for name in ("feedback/bob.html", "feedback/cem.html", "feedback/dee.html", "to_read/bob.html"):
        requested.clear()
        page.goto((out / name).as_uri())
        assert requested == [(out / name).as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.evaluate(AXE)
        violations = page.evaluate("axe.run(document)")["violations"]
        assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == [], name
    context.close()


def test_the_policy_stops_a_script_that_got_in(browser, out):
    page = browser.new_page()
    safe = (out / "feedback" / "bob.html").read_text(encoding="utf8")
    script = "<script>document.title = 'run'</script></body>"
    for text, title in ((safe, "bob: Homework 9: a sample"), (safe.replace("Content-Security-Policy", "x"), "run")):
        (out / "tried.html").write_text(text.replace("</body>", script), encoding="utf8")
        page.goto((out / "tried.html").as_uri())
        assert page.title() == title
    page.close()
