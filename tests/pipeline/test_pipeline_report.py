"""The report: what people wrote is text there and never markup, nothing is fetched, and its numbers are those of summary.json."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import numpy as np
import pytest
import torch

from rlhw.batches import PLAIN
from rlhw.pipeline import report
from rlhw.pipeline.folder import silent
from rlhw.pipeline.host import Host
from rlhw.pipeline.sampled import Sampled
from rlhw.pipeline.settings import Settings
from rlhw.pipeline.stages import Run

HOSTILE = "<script>alert(1)</script>\"'><img src=https://example.org/x onerror=alert(2)>&lt;b&gt;</article>{{ 7 * 7 }}"


def row(number: float, **more: object) -> dict:
    """What a policy reached, every figure another number."""
    names = ("reward", "learned", "kl", "objective", "standard_error", "facts_right", "facts_invented", "length")
    return {name: number + i / 7 for i, name in enumerate(names)} | more


SUMMARY = {
    "policies": {
        "clone": row(1.0), "ppo": row(3.0, share=[0.71, 0.62, 0.83]), "grpo": row(5.0, share=[0.5, -0.25, 1.5]),
        "dpo": row(7.0, share=[-0.5, -1.0, 0.0]), "best_of_4": {"reward": 9.0, "kl": 0.64, "objective": 8.84,
        "standard_error": 0.5, "share": [0.3, 0.2, 0.4]},
    },
    "jstar": 12.345, "jstar_se": 0.678, "samples": 512, "effective": 123.4, "settled": True, "judge": "gold",
    "frontier": [(0.1, 1.0), (2.0, 9.0)], "cloning_gap": 0.81, "cloning_share": 0.123, "held_out_nats": None, "reward_share": 0.912,
    "reward_accuracy": None, "seconds": {"clone": 12.3, "ppo": 45.6},
}  # fmt: skip
CURVE = {"curve": [{"objective": 1.0, "loss": 0.7}, {"objective": 2.0, "loss": 0.6}]}
DONE = {"ppo": CURVE, "grpo": CURVE, "dpo": CURVE}


def page(
    summary: dict = SUMMARY, post: str = "post", answers: tuple = ("a", "b", "c", "d"), reference: tuple | None = None,
    **settings: object,
) -> str:  # fmt: skip
    """The page of a run of one post, with an answer of each policy."""
    here = Run(replace(Settings(), **settings), Path("nowhere"), Host(PLAIN, torch.device("cpu")), silent, print)
    none = np.zeros((1, 1))
    found = {
        name: Sampled([[text]], none, none, none, none) for name, text in zip(report.POLICIES, answers, strict=True)
    }
    return report._page(here, summary, DONE, [post], found, [reference])


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each cell, description, paragraph and pre."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.open = [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag in ("th", "td", "dd", "p", "pre", "tr", "style"):
            self.open = tag
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.open:
            self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open][-1] += data


PLAIN_TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main h1 h2 p div table thead tbody tr th td figure img article dl dt dd pre",
    )
)


def check_inert(text: str) -> Reader:
    """No tag but the template's own, no handler, no address but pictures that stand in the page."""
    found = Reader(text)
    assert {tag for tag, _ in found.tags} <= PLAIN_TAGS
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        addresses = [value for name, value in attributes.items() if name in ("src", "href", "srcset", "action", "data")]
        assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert not re.search(r"url\(|@import|https?:", "".join(found.texts["style"]))
    return found


def test_what_people_wrote_is_text(monkeypatch):
    written = {"post": HOSTILE, "answers": (HOSTILE, f"{HOSTILE} 2", "", "fine")}
    found = check_inert(page(**written, texts=HOSTILE, data=f"{HOSTILE}.jsonl"))
    assert HOSTILE in [text.strip() for text in found.texts["p"]]
    assert [text.strip() for text in found.texts["dd"]] == [HOSTILE, f"{HOSTILE} 2", "", "fine"]
    assert json.loads(found.texts["pre"][0])["texts"] == HOSTILE
    assert len([tag for tag, _ in found.tags if tag == "img"]) == 2
    environment = jinja2.Environment
    monkeypatch.setattr(jinja2, "Environment", lambda autoescape, **what: environment(autoescape=False, **what))
    with pytest.raises(AssertionError):
        check_inert(page(**written))


def test_a_summary_of_people_stands_before_the_answers_with_its_reward():
    found = check_inert(page(reference=(HOSTILE, -1.234)))
    assert [text.strip() for text in found.texts["dd"]] == [HOSTILE, "a", "b", "c", "d"]
    text = page(reference=("mine", -1.234))
    assert "<dt>reference, -1.23</dt><dd>mine</dd>" in text
    assert "<dt>dpo, 0.00</dt><dd>d</dd>" in text
    assert "reference" not in page()


def test_an_address_from_outside_is_found():
    """The control of the check itself."""
    whole = page()
    check_inert(whole)
    for added in (
        '<img src="https://example.org/x.png">', '<link rel="stylesheet" href="//example.org/x.css">',
        "<style>@import 'https://example.org/x.css'</style>", '<p onclick="alert(1)">x</p>', "<script>1</script>",
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            check_inert(whole.replace("</main>", f"{added}</main>"))


def table(text: str) -> dict[str, list[str]]:
    """The first table, a row a policy."""
    first = re.search(r"<tbody>(.*?)</tbody>", text, re.S)[1]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall(r"<tr>(.*?)</tr>", first, re.S)]
    return {name: cells for name, *cells in rows}


def test_the_table_holds_the_numbers_of_the_summary():
    found = table(page())
    assert list(found) == ["clone", "ppo", "grpo", "dpo", "best of 4"]
    for name, cells in found.items():
        figures = SUMMARY["policies"][name.replace(" ", "_")]
        share = figures.get("share")
        assert cells[3] == f"{figures['objective']:.2f} ± {figures['standard_error']:.2f}"
        assert cells[4] == ("{:.2f} ({:.2f} to {:.2f})".format(*share) if share else "")
        for place, figure, digits in ((0, "reward", 2), (1, "learned", 2), (2, "kl", 2), (5, "facts_right", 2),
                                      (6, "facts_invented", 2), (7, "length", 1)):  # fmt: skip
            assert cells[place] == (f"{figures[figure]:.{digits}f}" if figure in figures else "")


def test_the_sentences_hold_the_numbers_of_the_summary():
    text = " ".join(" ".join(Reader(page()).texts["p"]).split())
    for sentence in (
        "J* = 12.35 ± 0.68, from 512 samples a post, of which 123 count (median).",
        "The clone stays 0.81 nats above the teacher's entropy (12.3 % of it).",
        "The reward model comes 91 % of the way from a coin to the Bayes accuracy.",
        "The reward shown is the gold reward",
    ):
        assert sentence in text
    for absent in ("More samples might still move it", "A held-out summary costs", "It agrees with"):
        assert absent not in text
    other = SUMMARY | {
        "settled": False, "judge": "learned", "cloning_gap": None, "cloning_share": None, "reward_share": None,
        "held_out_nats": 33.33, "reward_accuracy": 0.678, "frontier": [],
    }  # fmt: skip
    text = " ".join(" ".join(Reader(page(other)).texts["p"]).split())
    for sentence in (
        "More samples might still move it, so shares may be too high.",
        "A held-out summary costs the clone 33.3 nats.",
        "It agrees with 68 % of the votes on held-out prompts.",
        "The reward shown is the learned one",
    ):
        assert sentence in text
    assert "teacher's entropy" not in text


@pytest.mark.parametrize("loss", ["ipo", "kto"])
def test_only_the_loss_of_dpo_begins_at_ln_2(loss):
    settings = Settings()
    assert "begins at ln 2" in page()
    assert "begins at ln 2" not in page(dpo=replace(settings.dpo, loss=loss))


def test_where_there_is_nothing_to_gain_the_report_is_written_without_shares():
    """Where a nat is dear, J* may come out below the clone's own J by the luck of the samples."""
    here = Run(Settings(beta=50.0), Path("nowhere"), Host(PLAIN, torch.device("cpu")), silent, print)
    numbers = np.random.default_rng(0).normal(size=(4, 4, 3, 5))
    found = {name: Sampled([["a"] * 5] * 3, *part) for name, part in zip(report.POLICIES, numbers, strict=True)}
    best = found["clone"].objectives(50.0)
    rows, _ = report.compared(here, found, best + 1.0)
    assert all(len(row["share"]) == 3 for name, row in rows.items() if name != "clone"), "the control"
    rows, _ = report.compared(here, found, best - 1.0)
    assert [name for name, row in rows.items() if "share" in row] == []
    assert all(cells[4] == "" for cells in table(page(SUMMARY | {"policies": rows})).values())
