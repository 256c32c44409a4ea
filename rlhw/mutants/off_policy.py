"""Wrong importance weights, wrong estimates from them, wrong sums over episodes, and TD off policy gone wrong."""

import numpy as np

SUBJECTS = {
    "check_importance_weights": "rlhw.off_policy:importance_weights",
    "check_ordinary_importance_sampling": "rlhw.off_policy:ordinary_importance_sampling",
    "check_per_decision_importance_sampling": "rlhw.off_policy:per_decision_importance_sampling",
    "check_weighted_importance_sampling": "rlhw.off_policy:weighted_importance_sampling",
    "check_corrected_error": "rlhw.off_policy:corrected_error",
    "check_corrected_target": "rlhw.off_policy:corrected_target",
    "check_off_policy_td": "rlhw.off_policy:off_policy_td",
    "check_enumerate_episodes": "rlhw.exact_episodes:enumerate_episodes",
    "check_mean_and_variance": "rlhw.exact_episodes:mean_and_variance",
    "check_weighted_mean_and_variance": "rlhw.exact_episodes:weighted_mean_and_variance",
    "check_weight_second_moment": "rlhw.exact_episodes:weight_second_moment",
}


def _returns(rewards, gamma):
    return rewards @ gamma ** np.arange(rewards.shape[1])


def _before(weights):
    """Weights of the steps before each: one step late."""
    return np.column_stack([np.ones(len(weights)), weights[:, :-1]])


IMPORTANCE_WEIGHTS = {
    "upside down": lambda pi, mu: np.cumprod(mu / pi, axis=1),
    "not multiplied up": lambda pi, mu: pi / mu,
    "this step left out": lambda pi, mu: _before(np.cumprod(pi / mu, axis=1)),
    "over the episodes instead of the steps": lambda pi, mu: np.cumprod(pi / mu, axis=0),
    "the whole weight at every step": lambda pi, mu: np.prod(pi / mu, axis=1, keepdims=True) * np.ones_like(pi),
    "clipped at two": lambda pi, mu: np.minimum(np.cumprod(pi / mu, axis=1), 2.0),
    "target alone": lambda pi, mu: np.cumprod(pi, axis=1),
}

ORDINARY = {
    "divided by the sum of the weights": lambda w, r, g: w[:, -1] * _returns(r, g) / w[:, -1].sum(),
    "weight of the first step": lambda w, r, g: w[:, 0] * _returns(r, g),
    "every reward by its own weight": lambda w, r, g: _returns(w * r, g),
    "gamma forgotten": lambda w, r, g: w[:, -1] * r.sum(axis=1),
    "averaged already": lambda w, r, g: np.mean(w[:, -1] * _returns(r, g)),
    "weights multiplied once more": lambda w, r, g: w.prod(axis=1) * _returns(r, g),
    "unweighted": lambda w, r, g: _returns(r, g),
}

PER_DECISION = {
    "weight of the whole episode": lambda w, r, g: w[:, -1] * _returns(r, g),
    "one step late": lambda w, r, g: _returns(_before(w) * r, g),
    "gamma forgotten": lambda w, r, g: (w * r).sum(axis=1),
    "discount one step too far": lambda w, r, g: g * _returns(w * r, g),
    "mean of the steps": lambda w, r, g: _returns(w * r, g) / r.shape[1],
    "weights multiplied up again": lambda w, r, g: _returns(np.cumprod(w, axis=1) * r, g),
}

WEIGHTED = {
    "divided by the number of episodes": lambda w, r, g: float(np.mean(w[:, -1] * _returns(r, g))),
    "divided by the episodes that count": lambda w, r, g: float(
        (w[:, -1] * _returns(r, g)).sum() / np.count_nonzero(w[:, -1])
    ),
    "unweighted": lambda w, r, g: float(np.mean(_returns(r, g))),
    "every step's weight in the sum": lambda w, r, g: float((w[:, -1] * _returns(r, g)).sum() / w.sum()),
    "weight of the first step": lambda w, r, g: float(w[:, 0] @ _returns(r, g) / w[:, 0].sum()),
    "gamma forgotten": lambda w, r, g: float(w[:, -1] @ r.sum(axis=1) / w[:, -1].sum()),
}

CORRECTED_ERROR = {
    "the target alone": lambda v, after, r, rho, g: rho * (r + g * after) - v,
    "reward without a weight": lambda v, after, r, rho, g: r + rho * (g * after - v),
    "ratio upside down": lambda v, after, r, rho, g: (r + g * after - v) / np.maximum(rho, 1e-9),
    "no ratio": lambda v, after, r, rho, g: r + g * after - v,
    "gamma forgotten": lambda v, after, r, rho, g: rho * (r + after - v),
    "sign flipped": lambda v, after, r, rho, g: rho * (v - r - g * after),
}

CORRECTED_TARGET = {
    "the old value too": lambda v, after, r, rho, g: rho * (r + g * after - v),
    "next value alone": lambda v, after, r, rho, g: r + rho * g * after - v,
    "no ratio": lambda v, after, r, rho, g: r + g * after - v,
    "gamma forgotten": lambda v, after, r, rho, g: rho * (r + after) - v,
    "target left as it is": lambda v, after, r, rho, g: rho * (r + g * after),
}


def _td(*, gain=1.0, ratio=lambda pi, mu: pi / mu, counted=1, acts="behavior", at="state", one=False, begin=True):
    """TD off policy, one learner after the other; each switch is one mistake."""

    def walk(transitions, rewards, gamma, start, target, behavior, *, error, step_size, steps, rng):
        values, counts = np.zeros(len(start)), np.zeros(len(start))
        s = rng.choice(len(start), p=start)
        for _ in range(steps):
            a = rng.choice(rewards.shape[1], p=(target if acts == "target" else behavior)[s])
            after = rng.choice(len(start), p=transitions[s, a])
            where = s if at == "state" else after
            counts[where] += counted
            rho = ratio(target[s, a], behavior[s, a])
            change = error(values[where], values[after], rewards[s, a], rho, gamma)
            values[where] += gain * step_size(counts[where]) * change
            yield s, a, rewards[s, a], after, values.copy()
            s = after
            if after == len(start) - 1:
                s = rng.choice(len(start), p=start) if begin else np.flatnonzero(start)[0]

    def everybody(*given, learners, rng, **settings):
        seeds = [4] * learners if one else list(range(learners))
        walks = [walk(*given, rng=np.random.default_rng(seed), **settings) for seed in seeds]
        for step in zip(*walks, strict=True):
            yield tuple(np.array(part) for part in zip(*step, strict=True))

    return everybody


OFF_POLICY_TD = {
    "step size doubled": _td(gain=2.0),
    "a visit counted twice": _td(counted=2),
    "ratio upside down": _td(ratio=lambda pi, mu: mu / max(pi, 1e-9)),
    "no ratio": _td(ratio=lambda pi, mu: 1.0),
    "ratio clipped at one": _td(ratio=lambda pi, mu: min(pi / mu, 1.0)),
    "acts as the target would": _td(acts="target"),
    "moves the next state": _td(at="next state"),
    "all learners are one": _td(one=True),
    "every episode begins in the first state": _td(begin=False),
}


def _ways(*, chances=True, moves=True, mask=True, count=True, renew=False, shift=0):
    """Every way to go, by recursion; each switch is one mistake."""

    def listed(transitions, rewards, gamma, start, policy, horizon):
        end, found = len(start) - 1, []

        def go(states, actions, chance):
            s = states[-1]
            if len(actions) == horizon + shift:
                found.append((chance, states, actions))
                return
            over = s == end and not renew
            for a in range(1 if over else rewards.shape[1]):
                p = 1.0 if over or not chances else policy[s, a]
                for after in np.flatnonzero(transitions[s, a]):
                    if p > 0:
                        go([*states, after], [*actions, a], chance * p * (transitions[s, a, after] if moves else 1.0))

        for s in np.flatnonzero(start):
            go([s], [], start[s])
        if not count:
            found = found[:-1]
        chance, states, actions = (np.array(part) for part in zip(*found, strict=True))
        before = states[:, :-1]
        return chance, states, actions, rewards[before, actions], (before != end) | (not mask)

    return listed


ENUMERATE = {
    "the policy's probabilities left out": _ways(chances=False),
    "the model's probabilities left out": _ways(moves=False),
    "nothing masked": _ways(mask=False),
    "the last way left out": _ways(count=False),
    "choices after the end": _ways(renew=True),
    "one step more": _ways(shift=1),
}


def _moments(center=True, root=False, sample=False):
    def moments(p, x):
        mean = float(p @ x)
        spread = float(p @ (x - mean * center) ** 2)
        return mean, spread**0.5 if root else spread * len(x) / (len(x) - sample)

    return moments


MEAN_AND_VARIANCE = {
    "second moment for variance": _moments(center=False),
    "standard deviation for variance": _moments(root=True),
    "one too few": _moments(sample=True),
    "probabilities forgotten": lambda p, x: (float(x.mean()), float(x.var())),
}


def _weighted(keep_empty=False, plain=False, distinct=False, divide=False):
    def moments(p, w, g, samples):
        rows = []
        for drawn in np.ndindex((len(p),) * samples):
            drawn = list(drawn)
            if distinct and len(set(drawn)) < samples:
                continue
            mass = w[drawn].sum()
            if mass == 0 and not keep_empty:
                continue
            below = samples if plain else mass if mass > 0 else 1.0
            rows.append((np.prod(p[drawn]), (w[drawn] * g[drawn]).sum() / below))
        law, x = np.array(rows).T
        mean = law @ x / law.sum()
        return float(mean), float(law @ (x - mean) ** 2 / law.sum()) / (samples if divide else 1)

    return moments


WEIGHTED_MOMENTS = {
    "samples without weight count as zero": _weighted(keep_empty=True),
    "divided by the number of samples": _weighted(plain=True),
    "no episode twice": _weighted(distinct=True),
    "variance of one divided by the number": _weighted(divide=True),
}


def _second_moment(square=lambda pi, mu: pi**2 / mu, steps=0, end=1.0, begin=None):
    def moment(transitions, rewards, gamma, start, target, behavior, horizon):
        m = np.ones(len(start))
        with np.errstate(all="ignore"):
            factor = np.where(target > 0, square(target, behavior), 0.0)
        for _ in range(horizon + steps):
            m = (factor * (transitions @ m)).sum(axis=1)
            m[-1] = end
        return float((start if begin is None else begin) @ m)

    return moment


SECOND_MOMENT = {
    "first moment": _second_moment(square=lambda pi, mu: pi),
    "moment under the target": _second_moment(square=lambda pi, mu: pi**3 / mu**2),
    "target and behavior exchanged": _second_moment(square=lambda pi, mu: np.where(mu > 0, mu**2 / pi, 0.0)),
    "one step more": _second_moment(steps=1),
    "no weight after the end": _second_moment(end=0.0),
    "starts anywhere": _second_moment(begin=np.full(4, 0.25)),
}

MUTANTS = {
    "check_importance_weights": IMPORTANCE_WEIGHTS,
    "check_ordinary_importance_sampling": ORDINARY,
    "check_per_decision_importance_sampling": PER_DECISION,
    "check_weighted_importance_sampling": WEIGHTED,
    "check_corrected_error": CORRECTED_ERROR,
    "check_corrected_target": CORRECTED_TARGET,
    "check_off_policy_td": OFF_POLICY_TD,
    "check_enumerate_episodes": ENUMERATE,
    "check_mean_and_variance": MEAN_AND_VARIANCE,
    "check_weighted_mean_and_variance": WEIGHTED_MOMENTS,
    "check_weight_second_moment": SECOND_MOMENT,
}
