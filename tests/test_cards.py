"""Result cards: what is written is read back, nonsense is refused in one sentence, a changed module is noticed."""

import json

import pytest

from rlhw import cards


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    return tmp_path


def write(metrics=None, name="toy"):
    metrics = metrics or {"speed": cards.metric("speed of it", [3.0, 1.0, 2.0, 5.0, 4.0], unit="m/s", known=3.5)}
    return cards.write(name, "A toy", metrics, seconds=1.234, command="python -m toy", modules=["rlhw.cards"])


def test_round_trip(folder):
    path = write()
    card = cards.read("toy")
    assert card == json.loads(path.read_text())
    entry = card["metrics"]["speed"]
    assert (entry["value"], entry["low"], entry["high"], entry["seeds"]) == (3.0, 1.0, 5.0, [0, 1, 2, 3, 4])
    assert cards.value("toy", "speed", ".1f") == "3.0"
    assert cards.value("toy", "speed.high", ".0f") == "5"
    assert cards.value("toy", "speed.known") == "3.5"
    assert cards.value("toy", "seconds") == "1.23"
    assert "| speed of it | 3 m/s (1 to 5) | 3.5 |" in cards.table("toy")
    assert cards.names() == ["toy"]


def test_what_is_rounded_to_nothing_has_no_sign(folder):
    write({"a": cards.metric("less than nothing", -0.0004), "b": cards.metric("less", -0.0051)})
    assert [cards.value("toy", "a", form) for form in (".2f", ".0%", ".3g")] == ["0.00", "0\xa0%", "-0.0004"]
    assert cards.value("toy", "b", ".2f") == "-0.01"


def test_table_shows_bounds_and_no_unit_where_there_is_none(folder):
    write(
        {
            "a": cards.metric("share", 0.5, unit="1", bound=">= 0.4", met=True),
            "b": cards.metric("time", 9.0, unit="s", bound="< 5 s", met=False),
        }
    )
    assert cards.table("toy").splitlines()[2:] == ["| share | 0.5 | >= 0.4, met |", "| time | 9 s | < 5 s, SHORT |"]


def test_median_of_an_even_number_of_seeds():
    assert cards.metric("x", [1.0, 2.0, 3.0, 10.0, 20.0, 30.0])["value"] == 6.5


def test_stale_when_a_module_has_changed(folder):
    path = write()
    assert cards.stale("toy") == []
    card = json.loads(path.read_text())
    card["modules"]["rlhw.cards"] = "0" * 64
    path.write_text(json.dumps(card))
    assert cards.stale("toy") == ["rlhw.cards"]


def test_a_package_is_stale_when_any_file_in_it_has_changed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "PACKAGE", tmp_path / "rlhw")
    (tmp_path / "rlhw" / "parts").mkdir(parents=True)
    for name in ("__init__", "one"):
        (tmp_path / "rlhw" / "parts" / f"{name}.py").write_text("", encoding="utf8")
    before = cards._digest("rlhw.parts")
    (tmp_path / "rlhw" / "parts" / "one.py").write_text("changed = True\n", encoding="utf8")
    assert before != cards._digest("rlhw.parts") != cards._digest("rlhw.missing") == "0" * 64


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda card: card["metrics"]["speed"].pop("meaning"), "metrics.speed: 'meaning' is a required property"),
        (lambda card: card.update(extra=1), "'extra' was unexpected"),
        (lambda card: card["metrics"]["speed"].update(value="fast"), "metrics.speed.value"),
        (lambda card: card["metrics"]["speed"].update(value=float("nan")), "not finite"),
        (lambda card: card.update(metrics={}), "metrics"),
        (lambda card: card["metrics"]["speed"].update(seeds=[0, 1]), "metrics.speed.seeds"),
    ],
)
def test_a_card_that_breaks_the_schema_is_refused(folder, spoil, sentence):
    card = json.loads(write().read_text())
    cards.validate(card)
    spoil(card)
    with pytest.raises(ValueError, match=sentence):
        cards.validate(card)


def test_nothing_is_half_written(folder):
    with pytest.raises(ValueError, match="not finite"):
        write({"bad": cards.metric("bad", float("inf"))})
    assert list(folder.iterdir()) == []


def test_too_few_seeds_are_refused():
    with pytest.raises(ValueError, match="a card needs at least 5"):
        cards.metric("x", [1.0, 2.0])


def test_missing_names_are_told(folder):
    write()
    with pytest.raises(FileNotFoundError, match="there is no card 'other' in results/; cards there are: toy"):
        cards.read("other")
    with pytest.raises(KeyError, match="has no metric 'height'; it has speed"):
        cards.value("toy", "height")
    with pytest.raises(KeyError, match="has no 'bound'"):
        cards.value("toy", "speed.bound")


def test_report_says_met_or_short(folder, capsys):
    write(
        {
            "a": cards.metric("fast enough", 2.0, bound=">= 1", met=True),
            "b": cards.metric("small", 9.0, bound="<= 5", met=False),
        }
    )
    assert not cards.report("toy")
    assert capsys.readouterr().out.splitlines() == ["fast enough: 2 (bound: >= 1) met", "small: 9 (bound: <= 5) SHORT"]


@pytest.mark.parametrize("name", cards.names())
def test_committed_cards_are_whole(name):
    """A card may be older than the code: the page says so then, and `make bench` measures again."""
    card = cards.read(name)
    assert card["name"] == name
    assert cards.table(name).count("\n") == len(card["metrics"]) + 1
    assert set(cards.stale(name)) <= set(card["modules"])
