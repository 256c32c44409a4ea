"""Figures: alt text is demanded, drawings show the numbers they were given, committed figures are what the code draws."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from benchmarks import figures
from rlhw import plots

ROOT = Path(__file__).resolve().parents[1]
ALT = "Two lines rise from zero to one and the upper one is the median of all seeds."


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_show_carries_the_alt_text_and_closes_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: shown.append(metadata))
    figure = plt.figure()
    plots.show(figure, ALT)
    assert shown == [{"image/png": {"alt": ALT}}]
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize("alt", ["", "a plot", "Figure 3 of the chapter on REINFORCE"])
def test_a_figure_without_alt_text_is_refused(alt):
    with pytest.raises(ValueError, match="alt must say in ten words or more"):
        plots.show(plt.figure(), alt)


def test_learning_curves_draw_medians_and_ranges():
    values = np.array([[0.0, 1.0], [1.0, 5.0], [2.0, 3.0]])
    axes = plots.learning_curves(
        plt.figure().subplots(), np.array([1.0, 2.0]), {"a": values}, xlabel="steps", ylabel="value"
    )
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.0, 3.0])
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 0.0
    assert corners[:, 1].max() == 5.0
    assert [text.get_text() for text in axes.texts] == ["a"]


def test_estimate_cloud_marks_mean_and_exact_value():
    values = np.linspace(0.0, 4.0, 1001)
    rng = np.random.default_rng(0)
    axes = plots.estimate_cloud(plt.figure().subplots(), {"a": values}, exact=1.5, xlabel="estimate", rng=rng)
    dots, bar, line = axes.lines
    assert len(dots.get_xdata()) == 300
    np.testing.assert_allclose(bar.get_xdata(), [2.0, 2.0])
    np.testing.assert_allclose(line.get_xdata(), [1.5, 1.5])


def test_colors_are_told_apart_without_colour():
    """Relative luminance of any two of the first four colours differs, so that a grey print still tells them apart."""
    values = sorted(
        sum(w * int(c[i : i + 2], 16) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5))) for c in plots.COLORS[:4]
    )
    assert min(np.diff(values)) > 3


def test_each_committed_figure_has_its_code():
    assert sorted(figures.FIGURES) == sorted(path.stem for path in (ROOT / "book" / "figures").glob("*.svg"))


@pytest.mark.slow
def test_committed_figures_are_what_the_code_draws(tmp_path):
    figures.write_all(tmp_path)
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    committed = {path.name: path.read_bytes() for path in (ROOT / "book" / "figures").glob("*.svg")}
    assert sorted(drawn) == sorted(committed)
    for name, data in drawn.items():
        assert data == committed[name], f"{name} is old: run `python -m benchmarks.figures`"
