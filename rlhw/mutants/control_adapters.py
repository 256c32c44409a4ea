"""How the laws of control and of off-policy learning come to our functions: a model in four parts, episodes in four arrays."""

from collections.abc import Callable, Iterator

from rlhw.mdp import MDP, Episodes


def from_parts(fn: Callable) -> Callable:
    """fn(mdp, …), called with transitions, rewards, gamma and start in the model's place."""
    return lambda transitions, rewards, gamma, start, *rest, **settings: fn(
        MDP(transitions, rewards, gamma, start), *rest, **settings
    )


def to_parts(softened: Callable) -> Callable:
    """As `from_parts`, and the model that comes out is given in four parts too."""

    def dressed(*parts_and_epsilon: object) -> tuple:
        got = from_parts(softened)(*parts_and_epsilon)
        return got.transitions, got.rewards, got.gamma, got.start

    return dressed


def with_episodes(fn: Callable) -> Callable:
    """fn(episodes, …), called with states, actions, rewards and mask."""
    return lambda states, actions, rewards, mask, *rest: fn(Episodes(states, actions, rewards, mask), *rest)


def in_rounds(mc_control: Callable) -> Callable:
    """As `from_parts`, each round as one tuple: states, actions, rewards, mask, table."""

    def dressed(*parts: object, **settings: object) -> Iterator[tuple]:
        return ((*episodes, q) for episodes, q in from_parts(mc_control)(*parts, **settings))

    return dressed


def listed(enumerate_episodes: Callable) -> Callable:
    """As `from_parts`, the probabilities and the four arrays in one tuple."""

    def dressed(*inputs: object) -> tuple:
        probabilities, episodes = from_parts(enumerate_episodes)(*inputs)
        return probabilities, *episodes

    return dressed


CONTROL_ADAPTERS: dict[str, Callable[[Callable], Callable]] = {
    "check_softened": to_parts,
    "check_first_visit_returns": with_episodes,
    "check_sarsa": from_parts,
    "check_expected_sarsa": from_parts,
    "check_q_learning": from_parts,
    "check_mc_control": in_rounds,
    "check_off_policy_td": from_parts,
    "check_enumerate_episodes": listed,
    "check_weight_second_moment": from_parts,
}
