"""The figures of chapter B4: three routes past the cliff, and what a weight looks like as episodes grow longer."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.control import BEHAVIOR, CLIFF, EPISODES, EPSILON, REWARDS, START, TARGET
from rlhw import importance, plots
from rlhw.dynamic_programming import action_values, policy_iteration, solve_policy
from rlhw.exploration import epsilon_soft, softened

UP, RIGHT, DOWN = 0, 1, 2
GREY = "#777777"


def top_route(best: np.ndarray) -> np.ndarray:
    """A policy along the upper wall: up in the first column, right in the top row, down in the last column."""
    policy = np.zeros_like(best)
    for state in range(48):
        row, column = divmod(state, 12)
        action = RIGHT if row == 0 and column < 11 else DOWN if column == 11 else UP
        policy[state, action] = 1.0
    return policy


def route(policy: np.ndarray) -> list[tuple[int, int]]:
    """The cells, (row, column), that the greedy choices of a policy visit."""
    state, cells = START, [divmod(START, 12)]
    while not CLIFF.terminal[state] and len(cells) < 40:
        state = int(CLIFF.transitions[state, policy[state].argmax()].argmax())
        cells.append(divmod(state, 12))
    return cells


def cliff_routes() -> Figure:
    """The grid with the routes of three policies and their exact values with and without exploration."""
    best = action_values(CLIFF, policy_iteration(CLIFF)[0])
    soft_world = softened(CLIFF, EPSILON)
    soft = action_values(soft_world, policy_iteration(soft_world)[0])
    none, some = np.zeros(48), np.full(48, EPSILON)
    policies = {
        "top": (epsilon_soft(top_route(best), none), epsilon_soft(top_route(best), some), plots.COLORS[2]),
        "middle": (epsilon_soft(soft, none), epsilon_soft(soft, some), plots.COLORS[0]),
        "edge": (epsilon_soft(best, none), epsilon_soft(best, some), plots.COLORS[1]),
    }
    figure, axes = plt.subplots(figsize=(8.6, 2.5))
    axes.set(xlim=(-0.6, 15.6), ylim=(3.6, -0.6), aspect="equal")
    axes.axis("off")
    for row, column in np.ndindex(4, 12):
        falls = row == 3 and 0 < column < 11
        face = "#444444" if falls else "white"
        axes.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor="#BBBBBB"))
    axes.text(5.5, 3, "cliff: −100, and back to the start", color="white", ha="center", va="center")
    axes.text(-0.37, 3.3, "S", ha="center", va="center", fontweight="bold")
    axes.text(11.37, 3.3, "G", ha="center", va="center", fontweight="bold")
    earned = {}
    for shift, (name, (sure, stumbling, color)) in zip((-0.22, 0.0, 0.22), policies.items(), strict=True):
        cells = route(sure)
        rows, columns = np.array(cells).T
        axes.plot(columns + shift, rows + 0.0, color=color, linewidth=2.5)
        earned[name] = solve_policy(CLIFF, sure)[START], solve_policy(CLIFF, stumbling)[START]
        height = {"top": 0, "middle": 1, "edge": 2}[name]
        minus = f"{earned[name][1]:.1f}".replace("-", "−")
        text = f"{name}: {len(cells) - 1} steps\nexploring: {minus}"
        axes.text(11.8, height, text, color=color, va="center", fontsize=12)
    assert [len(route(sure)) - 1 for sure, _, _ in policies.values()] == [17, 15, 13], "the routes have these lengths"
    assert earned["middle"][1] > earned["top"][1] > earned["edge"][1], (
        "exploring, the middle is best and the edge worst"
    )
    assert earned["edge"][0] > earned["middle"][0] > earned["top"][0], "without exploring the edge is best"
    assert [round(earned[name][1]) for name in ("edge", "middle", "top")] == [-51, -21, -22], "the alt text's numbers"
    return figure


def weights_by_horizon() -> Figure:
    """Mean, typical size and standard deviation of the weight; and the exact relative error of two estimates."""
    steps = np.arange(1, 21)
    spread = np.sqrt([importance.weight_variance(TARGET, BEHAVIOR, int(t)) for t in steps])
    typical = np.exp(-steps * float(BEHAVIOR @ np.log(BEHAVIOR / TARGET)))
    value = steps * float(TARGET @ REWARDS)
    errors = {}
    for name, variance in (
        ("ordinary", importance.ordinary_variance),
        ("per-decision", importance.per_decision_variance),
    ):
        of_one = np.array([variance(TARGET, BEHAVIOR, REWARDS, int(t)) for t in steps])
        errors[name] = np.sqrt(of_one / EPISODES) / value
    assert typical[-1] < 1e-4 < 100 < spread[-1], "the typical weight vanishes as the standard deviation grows"
    assert errors["ordinary"][-1] > 1 > errors["per-decision"][-1], "only the ordinary error exceeds the value"
    assert 12 <= steps[np.argmax(errors["ordinary"] > 1)] <= 14, "it does so at about 13 steps"
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5))
    lines = (("standard deviation", spread, 1), ("mean", np.ones(20), 6), ("typical", typical, 0))
    for name, values, color in lines:
        left.semilogy(steps, values, color=plots.COLORS[color])
        plots.label_line(left, 20.0, values[-1], name, plots.COLORS[color])
    left.set(xlabel="steps of an episode, T", ylabel="weight of the episode", xlim=(1, 32), xticks=(1, 5, 10, 15, 20))
    left.set_title("the weight")
    for color, (name, values) in zip((plots.COLORS[1], plots.COLORS[2]), errors.items(), strict=True):
        right.semilogy(steps, values, color=color)
        plots.label_line(right, 20.0, values[-1], name, color)
    right.axhline(1, color=GREY, linewidth=1, linestyle="--")
    right.annotate("as large as the value", (1.3, 1), xytext=(0, 4), textcoords="offset points", color=GREY, fontsize=9)
    right.set(xlabel="steps of an episode, T", ylabel="standard error / value", xlim=(1, 28), xticks=(1, 5, 10, 15, 20))
    right.set_title("two estimates from 1,000 episodes")
    return figure


FIGURES = {"cliff_routes": cliff_routes, "weights_by_horizon": weights_by_horizon}
