"""Cards, exercises and slips on a page: shown as they are, refused in one sentence where they are not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import run_times
from small_book import SmallBook


@pytest.fixture
def cards(monkeypatch):
    """Stand-in cards: one that is there, and stale only where a test says so."""

    def value(name, path, form=".3g"):
        if name != "bandit":
            raise FileNotFoundError(f"there is no card '{name}' in results/; cards there are: bandit.")
        if path != "mean":
            raise KeyError(f"card 'bandit' has no metric '{path}'; it has mean.")
        return format(0.12345, form)

    def table(name):
        return f"| what | measured |\n| --- | --- |\n| mean | {value(name, 'mean')} |"

    def read(name):
        value(name, "mean")
        metrics = {
            "all": {"meaning": "all of it", "value": 273.1, "unit": "s"},
            "mean": {"meaning": "mean", "value": 1},
        }
        return {
            "title": "A toy",
            "seconds": 4000.0,
            "command": "python -m toy",
            "hardware": "a box",
            "metrics": metrics,
        }

    stand_in = SimpleNamespace(value=value, table=table, read=read, names=lambda: ["bandit"], stale=lambda name: [])
    monkeypatch.setitem(sys.modules, "rlhw.cards", stand_in)
    return stand_in


@pytest.fixture
def exercises(monkeypatch):
    """Stand-in exercises with one question."""

    def question(name):
        if name != "ch1-score":
            raise ValueError(f"there is no question '{name}'. Did you mean 'ch1-score'?")
        return SimpleNamespace(
            name=name,
            title="The score",
            stars=2,
            minutes=10,
            points=4,
            text="Write the **score** $1_y - p$.",
            stub="def score(p):\n    ...",
            solution="def score(p):\n    return -p",
        )

    monkeypatch.setitem(sys.modules, "rlhw.exercises", SimpleNamespace(question=question))


# Cards


def test_a_card_gives_its_number_and_its_table(tmp_path, cards):
    text = "# Title\n\nIt is {card}`bandit mean .2f`.\n\n```{card-table} bandit\n```\n"
    book = SmallBook(tmp_path, {"index.md": text}, ["card_role"])
    assert book.warnings == []
    assert '<span class="card-number">0.12</span>' in book.page()
    assert "<table" in book.page()
    assert "older version" not in book.page()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{card}`ghost mean .2f`",
            "'ghost' cannot be shown: there is no card 'ghost' in results/; cards there are: bandit.",
        ),
        ("{card}`bandit ghost .2f`", "'bandit' cannot be shown: card 'bandit' has no metric 'ghost'; it has mean."),
        ("{card}`bandit mean .2q`", "the result card 'bandit' cannot be shown: "),
        ("{card}`bandit`", "write {card}`name metric format`"),
        ("```{card-table} ghost\n```", "the result card 'ghost' cannot be shown"),
    ],
)
def test_a_card_that_cannot_be_shown_is_one_warning(tmp_path, cards, text, sentence):
    book = SmallBook(tmp_path, {"index.md": f"# Title\n\n{text}\n"}, ["card_role"])
    (warning,) = book.warnings
    assert "index.md:3: WARNING: " in warning
    assert sentence in warning
    # The page is never silent about it: what was asked for badly stands as it was typed, the rest has a sentence.
    name = "ghost" if "ghost mean" in text or "table" in text else "bandit"
    said = "bandit" if "write {card}" in sentence else f"(not measured: the card {name} cannot be read)"
    assert said in book.page()


def test_a_card_that_is_listed_and_broken_is_said_among_all_cards(tmp_path, cards):
    cards.names = lambda: ["bandit", "ghost"]
    book = SmallBook(tmp_path, {"index.md": "# Title\n\n```{all-cards}\n```\n"}, ["card_role"])
    assert len(book.warnings) == 1
    assert "A toy" in book.page()
    assert "(not measured: the card ghost cannot be read)" in book.page()


@pytest.fixture
def measured_widget(monkeypatch):
    """A widget whose numbers are those of the card `ghost`."""

    class Toy:
        CARD = "ghost"

        def option_names():
            return ()

        def page_state(self):
            return {}

    monkeypatch.setitem(sys.modules, "toy_widget", SimpleNamespace(Toy=Toy))
    return Toy


def test_a_widget_says_that_its_card_is_missing(tmp_path, cards, measured_widget):
    text = "# Title\n\n```{widget} toy_widget:Toy\n```\n"
    book = SmallBook(tmp_path, {"index.md": text}, ["card_role", "widget_directive"])
    assert len(book.warnings) == 1
    assert "(not measured: the card ghost cannot be read)" in book.page()


def test_a_widget_of_a_stale_card_makes_the_page_say_so(tmp_path, cards, measured_widget):
    measured_widget.CARD, cards.stale = "bandit", lambda name: ["rlhw.bandits"]
    text = "# Title\n\n```{widget} toy_widget:Toy\n```\n"
    page = SmallBook(tmp_path, {"index.md": text}, ["card_role", "widget_directive"]).page()
    assert page.count("Measured on an older version") == 1
    assert "not measured" not in page


def test_run_times_come_from_the_cards(tmp_path, cards, monkeypatch):
    monkeypatch.setattr("run_times.SHOWN", ("bandit",))
    page = SmallBook(tmp_path, {"index.md": "# Title\n\n```{run-times}\n```\n"}, ["card_role", "run_times"]).page()
    page = page.replace("\N{NO-BREAK SPACE}", " ")
    assert "<td><p>all of it</p></td>\n<td><p>4 min 33 s</p></td>" in page
    assert "to measure: " in page
    assert ">toy<" in page
    assert "1 h 7 min" in page
    assert ">mean<" not in page


def test_run_times_say_which_card_is_missing(tmp_path, cards, monkeypatch):
    monkeypatch.setattr("run_times.SHOWN", ("ghost",))
    book = SmallBook(tmp_path, {"index.md": "# Title\n\n```{run-times}\n```\n"}, ["card_role", "run_times"])
    assert "'ghost' cannot be shown" in book.warnings[0]
    assert "(not measured: the card ghost cannot be read)" in book.page()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (36.2, "36 s"), (59.6, "1 min"), (273.1, "4 min 33 s"), (3599, "1 h"), (3930.5, "1 h 6 min")],
)
def test_durations_are_said_as_one_would(seconds, words):
    assert run_times.duration(seconds) == words


def test_a_page_with_a_stale_card_says_so_once(tmp_path, cards):
    cards.stale = lambda name: ["rlhw.bandits"]
    text = "# Title\n\n{card}`bandit mean .2f` and {card}`bandit mean .3f`\n"
    page = SmallBook(tmp_path, {"index.md": text}, ["card_role"]).page()
    assert page.count("Measured on an older version") == 1


# Exercises and slips


def test_a_question_shows_text_stub_and_folded_solution(tmp_path, exercises):
    text = "# Title\n\n```{question} ch1-score\n```\n\nSee [](#ch1-score).\n"
    book = SmallBook(tmp_path, {"index.md": text}, ["exercise_directive"])
    page = book.page()
    assert book.warnings == []
    assert "Exercise: The score" in page
    assert 'aria-label="difficulty 2 of 3"' in page
    assert "about 10 minutes · 4 points" in page
    assert "<strong>score</strong>" in page
    assert '<details class="question-solution"><summary>Solution</summary>' in page
    assert page.count("<details") == page.count("</details>") == 1
    assert 'href="#question-ch1-score"' in page


def test_an_unknown_question_is_one_warning(tmp_path, exercises):
    page = "# Title\n\n```{question} ch1-skore\n```\n"
    (warning,) = SmallBook(tmp_path, {"index.md": page}, ["exercise_directive"]).warnings
    assert "there is no exercise named 'ch1-skore': there is no question 'ch1-skore'. Did you mean" in warning


def test_a_slip_bears_its_label(tmp_path):
    text = "# Title\n\n```{slip} ascent-sign\n**Wrong.** It is $-1$.\n```\n\nSee {ref}`slip-ascent-sign`.\n"
    book = SmallBook(tmp_path, {"index.md": text}, ["slip_directive"])
    assert book.warnings == []
    assert 'id="slip-ascent-sign"' in book.page()
    assert 'href="#slip-ascent-sign"' in book.page()


@pytest.mark.parametrize(
    ("text", "words"),
    [("```{slip} Ascent_Sign\nWords.\n```", "is no name for a slip"), ("```{slip} ascent-sign\n```", "says nothing")],
)
def test_a_slip_without_a_proper_name_or_words_is_refused(tmp_path, text, words):
    (warning,) = SmallBook(tmp_path, {"index.md": f"# Title\n\n{text}\n"}, ["slip_directive"]).warnings
    assert words in warning
