"""Question b2-solve: the value of a policy, by one system of equations."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The value of a policy solves $v = r_\pi + \gamma P_\pi v$. Here `transitions` has the axes (state, action, next state),
`rewards` (state, action), `policy` (state, action; each row sums to one), and $\gamma < 1$. The first line makes $P_\pi$;
finish `solve(transitions, rewards, gamma, policy)`, which returns $v_\pi$ exactly (to rounding), one number a state.
"""

STUB = """
def solve(transitions, rewards, gamma, policy):
    chain = np.einsum("sa,sat->st", policy, transitions)
    ...
"""


def solve(transitions, rewards, gamma, policy):
    chain = np.einsum("sa,sat->st", policy, transitions)
    mean_rewards = (policy * rewards).sum(axis=1)
    return np.linalg.solve(np.eye(len(chain)) - gamma * chain, mean_rewards)


def solve_by_many_sweeps(transitions, rewards, gamma, policy):
    v = np.zeros(len(rewards))
    for _ in range(2000):
        v = (policy * (rewards + gamma * transitions @ v)).sum(axis=1)
    return v


def solve_by_inverse(transitions, rewards, gamma, policy):
    chain = (policy[:, :, None] * transitions).sum(axis=1)
    return np.linalg.inv(np.eye(len(policy)) - gamma * chain) @ np.sum(policy * rewards, axis=1)


def _system(chain, mean_rewards, gamma):
    return np.linalg.solve(np.eye(len(chain)) - gamma * chain, mean_rewards)


def _model(transitions, rewards, policy):
    return np.einsum("sa,sat->st", policy, transitions), (policy * rewards).sum(axis=1)


def transposed(transitions, rewards, gamma, policy):
    chain, mean_rewards = _model(transitions, rewards, policy)
    return _system(chain.T, mean_rewards, gamma)


def plus_sign(transitions, rewards, gamma, policy):
    chain, mean_rewards = _model(transitions, rewards, policy)
    return _system(chain, mean_rewards, -gamma)


def plain_rewards(transitions, rewards, gamma, policy):
    return _system(_model(transitions, rewards, policy)[0], rewards.mean(axis=1), gamma)


def summed_rewards(transitions, rewards, gamma, policy):
    return _system(_model(transitions, rewards, policy)[0], rewards.sum(axis=1), gamma)


def uniform_policy(transitions, rewards, gamma, policy):
    return _system(transitions.mean(axis=1), rewards.mean(axis=1), gamma)


def from_tomorrow(transitions, rewards, gamma, policy):
    chain, mean_rewards = _model(transitions, rewards, policy)
    return gamma * chain @ _system(chain, mean_rewards, gamma)


def one_sweep(transitions, rewards, gamma, policy):
    return _model(transitions, rewards, policy)[1]


def not_inverted(transitions, rewards, gamma, policy):
    chain, mean_rewards = _model(transitions, rewards, policy)
    return (np.eye(len(chain)) - gamma * chain) @ mean_rewards


def best_policy(transitions, rewards, gamma, policy):
    v = np.zeros(len(rewards))
    for _ in range(2000):
        v = (rewards + gamma * transitions @ v).max(axis=1)
    return v


def draw(rng):
    states, actions = int(rng.integers(3, 6)), int(rng.integers(2, 4))
    transitions = rng.dirichlet(np.ones(states), (states, actions))
    rewards, policy = rng.standard_normal((states, actions)), rng.dirichlet(np.ones(actions), states)
    return transitions, rewards, float(rng.uniform(0.5, 0.95)), policy


def expected(transitions, rewards, gamma, policy):
    """The sum over time of the discounted mean rewards, by doubling: no equation is solved."""
    chain = gamma * sum(policy[:, [a]] * transitions[:, a] for a in range(policy.shape[1]))
    v = np.array([float(np.dot(p, r)) for p, r in zip(policy, rewards, strict=True)])
    for _ in range(14):
        v, chain = v + chain @ v, chain @ chain
    return v


QUESTION = Question(
    name="b2-solve",
    title="A policy's value by one solve",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Bring v to one side: (I - gamma P) v = r, with P and r averaged over the policy's actions.",
    expected=expected,
    parts=(Part("any policy", 8, draw, cases=8),),
    right={"model": solve, "many sweeps": solve_by_many_sweeps, "inverse": solve_by_inverse},
    wrong={
        "transposed": Wrong(
            transposed,
            "Your matrix is transposed: row s of P holds where one goes from s. The transposed system counts visits instead.",
        ),
        "plus sign": Wrong(
            plus_sign,
            "With I + gamma P every second reward would be subtracted. Bringing gamma P v to the left gives a minus.",
        ),
        "plain rewards": Wrong(
            plain_rewards,
            "The rewards were averaged as if all actions were equally likely; weigh them by the policy, as in the first line.",
        ),
        "summed rewards": Wrong(
            summed_rewards,
            "The rewards of all actions were added up. Only one action is taken: weigh each by its probability.",
        ),
        "uniform policy": Wrong(
            uniform_policy,
            "This is the value of the uniform policy; the one that was given is not used.",
        ),
        "from tomorrow": Wrong(
            from_tomorrow,
            "Your sum begins one step late: the first reward, which is not discounted, is missing.",
        ),
        "one sweep": Wrong(
            one_sweep,
            "This is the mean reward of the first step only, r_pi. What comes later counts too.",
        ),
        "not inverted": Wrong(
            not_inverted,
            "You multiplied r by I - gamma P. The value is what this matrix turns into r: solve, do not multiply.",
        ),
        "best policy": Wrong(
            best_policy,
            "This is the value of the best policy. A direct solve gives the value of the policy that is put in, good or bad.",
        ),
    },
)
