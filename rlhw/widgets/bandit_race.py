"""Two rules race on the same arms: their regret, run by run and on average, beside the line of Lai and Robbins (chapter B1)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, javascript, slider, sliders

ARMS = 7


class BanditRace(Widget):
    """ε-greedy and UCB, optionally greedy, on arms that pay 0 or 1: cumulative regret, on average over `runs`, and C log t.

    An arm that was never pulled counts as the greatest. The first `arms` of `means` count. Run number i of every rule draws from
    `np.random.RandomState(1000 * seed + i)`, two numbers a pull, as `rlhw.bandits.play` does with it: what the page shows can
    be had in Python. C = Σ gap/KL is the constant of Lai and Robbins: the regret of no rule that does well on every bandit
    grows more slowly than C log t in the long run. `pulls` is how far the race has come, of 2000.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "uniformNumbers": "numpy.random:RandomState",
        "explore": "rlhw.regret:explore",
        "upperBounds": "rlhw.regret:upper_bounds",
        "gaps": "rlhw.regret:gaps",
        "regret": "rlhw.bandits:regret",
        "play": "rlhw.bandits:play",
        "bernoulliKL": "rlhw.regret:bernoulli_kl",
        "laiRobbins": "rlhw.regret:lai_robbins",
        "growth": "numpy:log",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "columns", "mersenne", "bandits", "bandit_race")

    epsilon = slider(0.1, 0, 1, 0.01, "ε of ε-greedy")
    c = slider(0.7, 0, 2, 0.05, "c of UCB")
    greedy = traitlets.Bool(False).tag(sync=True, label="greedy as well")
    arms = slider(4, 2, ARMS, 1, "arms")
    means = sliders((0.3, 0.5, 0.7, 0.4, 0.6, 0.2, 0.45), 0.05, 0.95, 0.05, "mean of arm #", arms=(ARMS, ARMS))
    runs = slider(30, 1, 100, 1, "runs")
    seed = slider(1, 0, 99, 1, "seed")
    pulls = slider(1000, 1, 2000, 1, "pulls t")
    log_time = traitlets.Bool(False).tag(sync=True, label="time in powers of ten")
