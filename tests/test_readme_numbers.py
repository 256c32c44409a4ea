"""The numbers in README.md are those of the cards; a card that is missing or old is said; pages print what cards hold."""

import pytest

from benchmarks import readme
from benchmarks.notebooks import printed_numbers
from rlhw import cards


def test_the_readme_prints_what_the_cards_hold():
    text = readme.README.read_text(encoding="utf8")
    assert readme.renewed(text) == text, "a card has changed: run `python -m benchmarks.readme`"


def test_a_changed_number_is_noticed():
    text = readme.README.read_text(encoding="utf8")
    shown = f"{cards.read('learning')['metrics']['ppo']['value']:.2f} ("
    assert text.count(shown) >= 1
    assert readme.renewed(text.replace(shown, "0.99 (")) == text


def test_a_missing_card_is_said_in_its_row():
    row = readme.line("Speed", "ghost", "mean", "{:.1f}", "1")
    assert row == "| Speed | not measured: the card `ghost` cannot be read | 1 |"


def test_a_missing_metric_is_said_in_its_row():
    assert "cannot be read" in readme.line("Speed", "learning", "ghost", "{:.1f}", "1")


def test_a_card_of_an_older_version_is_said_in_its_row(monkeypatch):
    monkeypatch.setattr(cards, "stale", lambda name: ["rlhw.ppo"])
    assert ", on an older version |" in readme.line("PPO", "learning", "ppo", "{:.2f}", "1")


@pytest.mark.parametrize("text", ["no place", f"{readme.START}\n{readme.START}\n{readme.END}"])
def test_a_readme_without_one_place_is_refused(text):
    with pytest.raises(ValueError, match="once each"):
        readme.renewed(text)


def test_a_page_that_prints_another_number_is_found():
    source = "It is {card}`learning ppo .2f` and {card}`learning grpo .2f`."
    values = [cards.value("learning", name, ".2f") for name in ("ppo", "grpo")]
    page = " and ".join(f'<span class="card-number">{value}</span>' for value in values)
    said, printed = printed_numbers(source, page)
    assert said == printed == values
    assert printed_numbers(source, page.replace(values[1], "0.99"))[1] != values
