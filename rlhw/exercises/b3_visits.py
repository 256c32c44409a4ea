"""Question b3-visits: first-visit and every-visit Monte Carlo."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
`episodes` is a list of pairs (`states`, `rewards`): T + 1 states and T rewards, the last state being the end. There are 4
states, and number 3 is the end. Return for each state the mean of the returns that followed its visits: of the first
visit in each episode, or of every visit if `every` is true; 0 where there was none. Write
`mc_values(episodes, gamma, every)`; return an array of 4 numbers.
"""

STUB = """
def mc_values(episodes, gamma, every):
    ...
"""


def mc_values(episodes, gamma, every):
    totals, counts = np.zeros(4), np.zeros(4)
    for states, rewards in episodes:
        earned = 0.0
        following = np.zeros(len(rewards))
        for t in reversed(range(len(rewards))):
            earned = rewards[t] + gamma * earned
            following[t] = earned
        for t, state in enumerate(states[:-1]):
            if every or state not in states[:t]:
                totals[state] += following[t]
                counts[state] += 1
    return totals / np.maximum(counts, 1)


def mc_values_by_lists(episodes, gamma, every):
    found = {state: [] for state in range(4)}
    for states, rewards in episodes:
        visits = {}
        for t in range(len(rewards)):
            tail = np.asarray(rewards[t:])
            visits.setdefault(int(states[t]), []).append(float(tail @ gamma ** np.arange(len(tail))))
        for state, column in visits.items():
            found[state].extend(column if every else column[:1])
    return np.array([np.mean(column) if column else 0.0 for column in found.values()])


def variant(keep, follow=None, mean_of_means=False):
    """Monte Carlo that keeps the visits keep(states, t, every) and credits follow(rewards, t, gamma)."""
    follow = follow or (lambda rewards, t, gamma: sum(r * gamma**i for i, r in enumerate(rewards[t:])))

    def answer(episodes, gamma, every):
        columns = {state: [] for state in range(4)}
        for states, rewards in episodes:
            here = {}
            for t, state in enumerate(states[:-1]):
                if keep(states, t, every):
                    here.setdefault(int(state), []).append(follow(rewards, t, gamma))
            for state, column in here.items():
                columns[state] += [np.mean(column)] if mean_of_means else column
        return np.array([np.mean(column) if column else 0.0 for column in columns.values()])

    return answer


def asked(states, t, every):
    return every or states[t] not in states[:t]


always_every = variant(lambda states, t, every: True)
always_first = variant(lambda states, t, every: states[t] not in states[:t])
exchanged = variant(lambda states, t, every: asked(states, t, not every))
last_visit = variant(lambda states, t, every: every or states[t] not in states[t + 1 :])
whole_return = variant(asked, lambda rewards, t, gamma: sum(r * gamma**i for i, r in enumerate(rewards)))
own_reward_left_out = variant(asked, lambda r, t, gamma: sum(x * gamma ** (i + 1) for i, x in enumerate(r[t + 1 :])))
no_discount = variant(asked, lambda rewards, t, gamma: sum(rewards[t:]))
mean_of_episode_means = variant(asked, mean_of_means=True)


def divided_by_episodes(episodes, gamma, every):
    counts = np.zeros(4)
    for states, _ in episodes:
        for t, state in enumerate(states[:-1]):
            counts[state] += asked(states, t, every)
    return mc_values(episodes, gamma, every) * counts / len(episodes)


def walks(rng):
    """Three episodes of 4 to 6 steps: with three states and more steps, some state comes again."""
    found = []
    for _ in range(3):
        steps = int(rng.integers(4, 7))
        found.append((np.append(rng.integers(3, size=steps), 3), rng.standard_normal(steps) + 1.0))
    return found, float(rng.uniform(0.3, 0.8))


def draw_first(rng):
    return *walks(rng), False


def draw_every(rng):
    return *walks(rng), True


def expected(episodes, gamma, every):
    """By matrices: returns are an upper triangle of discounts times rewards."""
    columns = {state: [] for state in range(4)}
    for states, rewards in episodes:
        ages = np.arange(len(rewards)) - np.arange(len(rewards))[:, None]
        following = np.where(ages >= 0, gamma ** np.maximum(ages, 0), 0.0) @ rewards
        for state in range(3):
            places = np.flatnonzero(states[:-1] == state)
            columns[state] += list(following[places if every else places[:1]])
    return np.array([np.mean(column) if column else 0.0 for column in columns.values()])


QUESTION = Question(
    name="b3-visits",
    title="First visits and every visit",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="For each state the mean of the discounted returns that followed its visits, of the kind that is asked for. Yours differs.",
    expected=expected,
    parts=(Part("first visits", 4, draw_first), Part("every visit", 4, draw_every)),
    right={"model": mc_values, "lists": mc_values_by_lists},
    wrong={
        "always every": Wrong(
            always_every,
            "With every=False you still count each visit. Only the first of an episode is wanted there.",
        ),
        "always first": Wrong(
            always_first,
            "With every=True you still count first visits only.",
        ),
        "exchanged": Wrong(
            exchanged,
            "The two kinds have changed places.",
        ),
        "last visit": Wrong(
            last_visit,
            "You took the last visit of an episode for the first. Which of them is a fair sample of what follows a first arrival?",
        ),
        "whole return": Wrong(
            whole_return,
            "You gave every visit the return of the whole episode. What was earned before a state was reached is no news of it.",
        ),
        "own reward left out": Wrong(
            own_reward_left_out,
            "The reward of the step out of the state is missing: the return of a visit begins with it, undiscounted.",
        ),
        "no discount": Wrong(
            no_discount,
            "The rewards are added up without discount.",
        ),
        "mean of episode means": Wrong(
            mean_of_episode_means,
            "With every=True you averaged within each episode first. All visits of all episodes go into one mean.",
        ),
        "divided by episodes": Wrong(
            divided_by_episodes,
            "You divided by the number of episodes. A mean of returns is divided by how many returns there are.",
        ),
    },
)
