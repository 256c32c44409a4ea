"""What the functions of `rlhw.temporal_difference` promise beyond their laws: gamma, lambda, n, and whole episodes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from rlhw.mutants.refusals import refuses

NAN = float("nan")
REWARDS, VALUES = np.array([1.0, 2.0]), np.array([0.5, -0.5, 0.0])
BAD_UNITS, GOOD_UNITS = (-0.1, 1.1, NAN), (0.0, 1.0)


def walks(*paths: tuple[int, ...]) -> Iterator:
    """A stream of one episode: a learner goes along each of these paths."""
    from rlhw.mdp import Episodes

    states = np.array(paths)
    nothing = np.zeros(states[:, 1:].shape)
    yield Episodes(states, nothing.astype(int), nothing, nothing == 0)


def run(learner: Callable, gamma: float = 0.5, path: tuple[int, ...] = (0, 1, 2), **options: object) -> Iterable:
    return list(learner(walks(path), VALUES, gamma, lambda visits: 0.5, **options))


def refuses_gamma(call: Callable[..., object]) -> None:
    """gamma=… in [0, 1], both ends included."""
    refuses("gamma", *(partial(call, gamma=gamma) for gamma in BAD_UNITS))
    for gamma in GOOD_UNITS:
        call(gamma=gamma)


def refuses_lambda(call: Callable[..., object]) -> None:
    """lam=… in [0, 1], both ends included."""
    refuses("lam", *(partial(call, lam=lam) for lam in BAD_UNITS))
    for lam in GOOD_UNITS:
        call(lam=lam)


def refuses_no_steps(call: Callable[..., object]) -> None:
    """n=… of 1 or more."""
    refuses("n must", *(partial(call, n=n) for n in (0, -1)))
    call(n=1)


def of_returns(returns: Callable) -> None:
    refuses_gamma(partial(returns, REWARDS))


def of_n_step_returns(n_step_returns: Callable) -> None:
    refuses_gamma(partial(n_step_returns, REWARDS, VALUES, n=1))
    refuses_no_steps(partial(n_step_returns, REWARDS, VALUES, gamma=0.5))


def of_lambda_returns(lambda_returns: Callable) -> None:
    refuses_gamma(partial(lambda_returns, REWARDS, VALUES, lam=0.5))
    refuses_lambda(partial(lambda_returns, REWARDS, VALUES, gamma=0.5))


def of_backward_view(backward_view: Callable) -> None:
    refuses_gamma(partial(backward_view, np.array([0, 1, 2]), REWARDS, VALUES, lam=0.5))
    refuses_lambda(partial(backward_view, np.array([0, 1, 2]), REWARDS, VALUES, gamma=0.5))


def of_mc_prediction(mc_prediction: Callable) -> None:
    """And a cut episode: its last state was left before, in this episode, in an earlier one, or by another learner."""
    refuses_gamma(partial(run, mc_prediction))
    refuses("stream", lambda: run(mc_prediction, path=(0, 1, 0)))

    def again() -> Iterator:
        yield from walks((0, 1, 2), (0, 1, 2))
        yield from walks((0, 2), (0, 1))

    refuses("stream", lambda: list(mc_prediction(again(), VALUES, 0.5, lambda visits: 0.5)))
    refuses("stream", lambda: list(mc_prediction(walks((0, 1), (1, 2)), VALUES, 0.5, lambda visits: 0.5)))


def of_td_prediction(td_prediction: Callable) -> None:
    refuses_gamma(partial(run, td_prediction))


def of_n_step_td(n_step_td: Callable) -> None:
    refuses_gamma(partial(run, n_step_td, n=2))
    refuses_no_steps(partial(run, n_step_td))


def of_td_lambda(td_lambda: Callable) -> None:
    refuses_gamma(partial(run, td_lambda, lam=0.5))
    refuses_lambda(partial(run, td_lambda))


PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_returns": of_returns,
    "check_n_step_returns": of_n_step_returns,
    "check_lambda_returns": of_lambda_returns,
    "check_backward_view": of_backward_view,
    "check_mc_prediction": of_mc_prediction,
    "check_td_prediction": of_td_prediction,
    "check_n_step_td": of_n_step_td,
    "check_td_lambda": of_td_lambda,
}
