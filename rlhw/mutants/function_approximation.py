"""Wrong projections, closed forms and errors of linear values."""

import numpy as np

MODULE = "rlhw.function_approximation"
SUBJECTS = {
    "check_projection": f"{MODULE}:projection",
    "check_least_squares_mc": f"{MODULE}:least_squares_mc",
    "check_td_system": f"{MODULE}:td_system",
    "check_lstd": f"{MODULE}:lstd",
    "check_value_error": f"{MODULE}:value_error",
    "check_bellman_error": f"{MODULE}:bellman_error",
    "check_projected_bellman_error": f"{MODULE}:projected_bellman_error",
    "check_on_policy_weights": f"{MODULE}:on_policy_weights",
}


def _fit(h, d):
    """The matrix that takes targets to the weights of their best fit."""
    root = np.sqrt(d)
    return np.linalg.pinv(root[:, None] * h) * root


PROJECTION = {
    "states not weighted": lambda h, d: h @ np.linalg.pinv(h),
    "weights squared": lambda h, d: h @ _fit(h, d**2),
    "transposed": lambda h, d: (h @ _fit(h, d)).T,
    "the weights of the fit, not its values": lambda h, d: _fit(h, d),
    "scaled features not scaled back": lambda h, d: (np.sqrt(d)[:, None] * h) @ np.linalg.pinv(np.sqrt(d)[:, None] * h),
    "what is left out": lambda h, d: np.eye(len(h)) - h @ _fit(h, d),
    "a ridge in the inverse": lambda h, d: (
        h @ np.linalg.solve(h.T @ (d[:, None] * h) + 0.01 * np.eye(h.shape[1]), h.T * d)
    ),
}

LEAST_SQUARES_MC = {
    "samples not weighted": lambda h, g, d: np.linalg.pinv(h) @ g,
    "weights squared": lambda h, g, d: _fit(h, d**2) @ g,
    "roots on the features only": lambda h, g, d: np.linalg.pinv(np.sqrt(d)[:, None] * h) @ g,
    "sums not divided": lambda h, g, d: h.T @ (d * g),
    "an answer that is not the shortest": lambda h, g, d: (
        np.append(np.linalg.solve(h[:, :2], g), 0.0) if h.shape == (2, 3) else _fit(h, d) @ g
    ),
    "a ridge in the inverse": lambda h, g, d: np.linalg.solve(
        h.T @ (d[:, None] * h) + 0.01 * np.eye(h.shape[1]), h.T @ (d * g)
    ),
}


def _td(outer=lambda h, after, gamma: (h, h - gamma * after), vector=lambda h, r, d: d * r, weigh=lambda d: d):
    """A and b with another outer product, another b, or other weights in A."""

    def system(h, r, after, gamma, d):
        left, right = outer(h, after, gamma)
        size = h.shape[-1]
        matrix = (weigh(d)[..., None] * left).reshape(-1, size).T @ right.reshape(-1, size)
        return matrix, h.reshape(-1, size).T @ vector(h, r, d).ravel()

    return system


SYSTEMS = {
    "transposed": _td(outer=lambda h, after, gamma: (h - gamma * after, h)),
    "discount forgotten": _td(outer=lambda h, after, gamma: (h, h - after)),
    "plus for minus": _td(outer=lambda h, after, gamma: (h, h + gamma * after)),
    "no bootstrapping": _td(outer=lambda h, after, gamma: (h, h)),
    "the residual's matrix": _td(outer=lambda h, after, gamma: (h - gamma * after, h - gamma * after)),
    "b not weighted": _td(vector=lambda h, r, d: r),
    "A not weighted": _td(weigh=np.ones_like),
    "reward discounted": _td(vector=lambda h, r, d: 0.7 * d * r),
}
TD_SYSTEM = SYSTEMS | {"mean instead of sum": lambda h, r, *x: tuple(part / r.size for part in _td()(h, r, *x))}


def _solved(system):
    return lambda *x: np.linalg.pinv(system(*x)[0]) @ system(*x)[1]


LSTD = {name: _solved(system) for name, system in SYSTEMS.items() if name != "b not weighted"} | {
    "a ridge in the inverse": lambda *x: np.linalg.solve(_td()(*x)[0] + 0.01 * np.eye(x[0].shape[-1]), _td()(*x)[1]),
    "b itself": lambda *x: _td()(*x)[1],
    "an answer that is not the shortest": lambda *x: (
        np.append(np.linalg.solve(x[0][:, :2], x[1]), 0.0) if x[0].shape == (2, 3) else _solved(_td())(*x)
    ),
}

VALUE_ERROR = {
    "states not weighted": lambda values, truth, d: np.mean((truth - values) ** 2),
    "root of it": lambda values, truth, d: np.sqrt(d @ (truth - values) ** 2),
    "not squared": lambda values, truth, d: d @ np.abs(truth - values),
    "half of it": lambda values, truth, d: d @ (truth - values) ** 2 / 2,
    "weights squared": lambda values, truth, d: d**2 @ (truth - values) ** 2,
}

BELLMAN_ERROR = {
    "discount forgotten": lambda h, r, after, gamma, d, w: d @ (r + after @ w - h @ w) ** 2,
    "states not weighted": lambda h, r, after, gamma, d, w: np.mean((r + gamma * after @ w - h @ w) ** 2),
    "signs cancel": lambda h, r, after, gamma, d, w: (d @ (r + gamma * after @ w - h @ w)) ** 2,
    "half of it": lambda h, r, after, gamma, d, w: d @ (r + gamma * after @ w - h @ w) ** 2 / 2,
    "reward discounted": lambda h, r, after, gamma, d, w: d @ (gamma * (r + after @ w) - h @ w) ** 2,
    "what comes after is left out": lambda h, r, after, gamma, d, w: d @ (r - h @ w) ** 2,
}


def _projected(inverse=np.linalg.pinv, second=lambda h, d: h.T @ (d[:, None] * h), system=None):
    """The projected Bellman error with something else in the middle, or another system."""

    def error(h, r, after, gamma, d, w):
        matrix, vector = (system or _td())(h, r, after, gamma, d)
        step = vector - matrix @ w
        return step @ inverse(second(h, d)) @ step

    return error


PROJECTED_BELLMAN_ERROR = {
    "not projected": lambda h, r, after, gamma, d, w: d @ (r + gamma * after @ w - h @ w) ** 2,
    "length of the expected step": _projected(inverse=lambda c: np.eye(len(c))),
    "matrix not inverted": _projected(inverse=lambda c: c),
    "states not weighted in the middle": _projected(second=lambda h, d: h.T @ h),
    "transposed system": _projected(system=SYSTEMS["transposed"]),
    "discount forgotten": _projected(system=SYSTEMS["discount forgotten"]),
    "half of it": lambda *x: _projected()(*x) / 2,
}


def _long_run(restart=lambda start: start, clean=lambda d, ends: d * ~ends, left=True):
    """The stationary distribution of the chain that begins anew at its ends."""

    def weights(transitions, policy, start):
        chain = np.einsum("sa,sat->st", policy, transitions)
        ends = np.diag(chain) == 1
        chain[ends] = restart(start)
        flow = chain.T if left else chain
        lhs = np.vstack([flow - np.eye(len(chain)), np.ones(len(chain))])
        d = clean(np.linalg.lstsq(lhs, np.append(np.zeros(len(chain)), 1.0))[0], ends)
        return d / d.sum()

    return weights


ON_POLICY_WEIGHTS = {
    "uniform over states": lambda transitions, policy, start: np.full(len(start), 1 / len(start)),
    "the start": lambda transitions, policy, start: start,
    "ends are counted": _long_run(clean=lambda d, ends: d),
    "begins anew anywhere": _long_run(restart=lambda start: np.full(len(start), 1 / len(start))),
    "rows for columns": _long_run(left=False),
    "actions equally likely": lambda transitions, policy, start: _long_run()(
        transitions, np.full_like(policy, 1 / policy.shape[1]), start
    ),
    "after one step": lambda transitions, policy, start: start @ np.einsum("sa,sat->st", policy, transitions),
}

MUTANTS = {
    "check_projection": PROJECTION,
    "check_least_squares_mc": LEAST_SQUARES_MC,
    "check_td_system": TD_SYSTEM,
    "check_lstd": LSTD,
    "check_value_error": VALUE_ERROR,
    "check_bellman_error": BELLMAN_ERROR,
    "check_projected_bellman_error": PROJECTED_BELLMAN_ERROR,
    "check_on_policy_weights": ON_POLICY_WEIGHTS,
}
