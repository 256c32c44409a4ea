"""The export that comes with the package says what the two simulated annotators said, and its README who they are."""

import re
from importlib import resources
from pathlib import Path

from forum import ANNOTATORS, COUNT, PAIRS_SEED, RELABELLED, SKIPPED, forum_pairs, said

from rlhw.preferences import Comparison, agreement, from_label_studio, last_labels, recorded_export
from rlhw.preferences.label_studio import SKIPPED as SKIP
from rlhw.tiny_tldr import SimulatedAnnotator, read_post

HERE = Path(__file__).parent


def labels(annotator: str) -> list[Comparison]:
    """What an annotator said, without the pair that was skipped."""
    given = zip(forum_pairs(), said(annotator), strict=True)
    found = [Comparison(*pair, choice, annotator, seconds) for pair, (choice, seconds) in given]
    return found[:SKIPPED] + found[SKIPPED + 1 :] if annotator == "2" else found


def test_the_export_holds_what_the_annotators_said():
    imported = from_label_studio(recorded_export())
    assert imported.left_out == {SKIP: 1}
    assert imported.empty_answers == 0
    kept, replaced = last_labels(imported.comparisons)
    assert replaced == 1
    for annotator in ANNOTATORS:
        mine = [label for label in kept if label.annotator == annotator]
        assert sorted(mine, key=lambda c: c.prompt) == sorted(labels(annotator), key=lambda c: c.prompt)
    assert len(kept) == 2 * COUNT - 1
    # The control: the first thought about the pair that was labelled twice would be seen.
    pair = labels("1")[RELABELLED].pair
    twice = [label.choice for label in imported.comparisons if (label.pair, label.annotator) == (pair, "2")]
    assert len(set(twice)) == 2


def test_the_annotators_agree_as_often_as_they_should():
    """The chance that two agree on a pair is p q + (1-p)(1-q); four standard deviations: false alarm once in 15,000 times."""
    chances = []
    for prompt, one, other in forum_pairs():
        p, q = (SimulatedAnnotator(t).probability(read_post(prompt), one, other) for t, _, _ in ANNOTATORS.values())
        chances.append(p * q + (1 - p) * (1 - q))
    mean = sum(chances) / COUNT
    deviation = sum(chance * (1 - chance) for chance in chances) ** 0.5 / COUNT
    found = agreement(last_labels(from_label_studio(recorded_export()).comparisons)[0])
    assert (found.items, found.annotators, found.statistic) == (COUNT - 1, 2, "Cohen")
    assert abs(found.raw - mean) < 4 * deviation
    assert 0.5 < mean < 0.9, "they neither always agree nor by chance alone"


def test_the_readme_says_who_labelled_and_where():
    text = (resources.files("rlhw.preferences.recorded") / "README.md").read_text(encoding="utf8")
    version = (HERE / "requirements.txt").read_text(encoding="utf8").strip().partition("==")[2]
    assert f"label-studio {version}," in text
    rows = re.findall(r"^\| (\d), \w+ \| ([\d.]+) \| (\d+) \| (\d+),", text, re.M)
    assert {name: (float(t), int(seed), float(median)) for name, t, seed, median in rows} == ANNOTATORS
    assert f"{COUNT} pairs" in text
    assert f"come from seed {PAIRS_SEED}." in text
    assert "simulated" in text
    assert (SKIPPED, RELABELLED) == (5, 9)
    assert "skipped the sixth pair" in text
    assert "labelled the tenth twice" in " ".join(text.split())


def test_nothing_in_it_points_to_a_person_or_a_machine():
    text = (resources.files("rlhw.preferences.recorded") / "forum_export.json").read_text(encoding="utf8")
    assert not re.search(r"@|/home|/tmp|/root|127\.0\.0\.1|localhost", text)
