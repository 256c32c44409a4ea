"""Question ch7-beta: which policy DPO ends at."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
You want the best policy for reward less $\beta$ times $\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}})$, and all you have
are votes of an annotator who prefers answer $i$ to answer $j$ with probability $\sigma((r_i - r_j)/\tau)$, where
$\sigma(\Delta) = 1/(1 + e^{-\Delta})$. DPO's own $\beta_{\text{DPO}}$ is yours to choose. It fits a policy to the votes
so that $\sigma\bigl(\beta_{\text{DPO}}\log\frac{\pi_i}{\pi_{\text{ref},i}} -
\beta_{\text{DPO}}\log\frac{\pi_j}{\pi_{\text{ref},j}}\bigr)$ becomes the share of votes for $i$ against $j$.

Write `dpo_policy(beta, tau, ref_probs, shares)`. `shares[i, j]`, a table of K rows and K columns, is the share of the
very many votes on the pair that answer i won against answer j ($\frac12$ where $i = j$); `ref_probs` are the
reference's K probabilities, none of them 0. Return two things: the $\beta_{\text{DPO}}$ with which DPO ends at the
policy you want, and that policy, an array of K probabilities.
"""

STUB = """
def dpo_policy(beta, tau, ref_probs, shares):
    log_odds = np.log(shares / shares.T)  # entry i, j: what do the rewards of i and j have to do with it?
    ...
"""


def dpo_policy(beta, tau, ref_probs, shares):
    log_odds = np.log(shares / shares.T)
    beta_dpo = beta / tau
    scores = log_odds[:, 0]  # (r_i - r_0)/tau: a shift common to all answers drops out
    weights = ref_probs * np.exp(scores / beta_dpo)
    return beta_dpo, weights / weights.sum()


def dpo_policy_by_rewards(beta, tau, ref_probs, shares):
    rewards = tau * np.log(shares / (1 - shares)).mean(axis=1)
    log_weights = np.log(ref_probs) + rewards / beta
    policy = np.exp(log_weights - log_weights.max())
    return [beta / tau, list(policy / policy.sum())]


def dpo_policy_by_odds(beta, tau, ref_probs, shares):
    ratios = []
    for i in range(len(ref_probs)):
        # 1/π_i is the sum of π_j/π_i, which are the reference's ratios times the odds of j over i to the power tau/beta.
        others = [
            ref_probs[j] / ref_probs[i] * (shares[j, i] / shares[i, j]) ** (tau / beta) for j in range(len(ref_probs))
        ]
        ratios.append(1 / sum(others))
    return 1 / (tau / beta), np.array(ratios)


def softmax(log_weights):
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum()


def scores_of(shares):
    return np.log(shares / shares.T).mean(axis=1)


def with_beta_dpo(choose):
    """Another β_DPO, and the policy that DPO ends at with it."""

    def answer(beta, tau, ref_probs, shares):
        beta_dpo = choose(beta, tau)
        return beta_dpo, softmax(np.log(ref_probs) + scores_of(shares) / beta_dpo)

    return answer


def with_policy(policy):
    """The right β_DPO and another policy."""

    def answer(beta, tau, ref_probs, shares):
        return beta / tau, policy(beta, tau, ref_probs, shares)

    return answer


def not_normalised(beta, tau, ref_probs, shares):
    return ref_probs * np.exp(np.log(shares / shares.T)[:, 0] * tau / beta)


def draw(rng):
    """A temperature far from 1, and a β that is not near 1, τ, or their products."""
    tau = float(rng.choice([rng.uniform(0.3, 0.6), rng.uniform(1.6, 2.5)]))
    return _votes(rng, float(rng.uniform(0.25, 0.45)), tau)


def draw_temperature_one(rng):
    return _votes(rng, float(rng.uniform(0.25, 0.45)), 1.0)


def _votes(rng, beta, tau):
    """Rewards about β apart, so that no answer takes all; at least one reference probability is far from 1/K."""
    answers = int(rng.integers(3, 6))
    rewards = 0.7 * beta * (rng.permutation(answers) + rng.uniform(-0.3, 0.3, answers))
    ref_probs = rng.permutation(np.arange(1, answers + 1) + rng.uniform(0.0, 0.5, answers))
    shares = 1 / (1 + np.exp(-(rewards[:, None] - rewards) / tau))
    return beta, tau, ref_probs / ref_probs.sum(), shares


def expected(beta, tau, ref_probs, shares):
    """By Newton's method on DPO's own mean loss, over all pairs, from the reference on."""
    beta_dpo = beta / tau
    moved = np.zeros(len(ref_probs))  # log π/π_ref, up to a shift
    for _ in range(60):
        modelled = 1 / (1 + np.exp(-beta_dpo * (moved[:, None] - moved)))
        slope = beta_dpo * (modelled - shares).sum(axis=1)
        bend = -(beta_dpo**2) * modelled * (1 - modelled)
        np.fill_diagonal(bend, 0.0)
        np.fill_diagonal(bend, -bend.sum(axis=1))
        step = np.linalg.lstsq(bend, slope, rcond=None)[0]
        largest = beta_dpo * np.abs(step).max()
        moved -= step / max(1.0, largest)
        if largest < 1e-12:
            break
    weights = ref_probs * np.exp(moved - moved.max())
    return beta_dpo, weights / weights.sum()


def agrees(got, known):
    try:
        (beta_dpo, policy), (true_beta_dpo, true_policy) = got, known
    except (TypeError, ValueError):
        return False
    return close(beta_dpo, true_beta_dpo) and close(policy, true_policy)


RIGHT = {
    "model": dpo_policy,
    "by rewards, as lists": dpo_policy_by_rewards,
    "by powers of the odds": dpo_policy_by_odds,
}

QUESTION = Question(
    name="ch7-beta",
    title="Which policy DPO ends at",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (β_DPO, policy). DPO ends where β_DPO times the difference of two log-ratios is the log-odds of the "
        "votes, (r_i - r_j)/τ; you want it to be where β times that difference is r_i - r_j. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("an annotator of temperature 1", 2, draw_temperature_one),
        Part("any temperature", 4, draw),
    ),
    right=RIGHT,
    wrong={
        "beta times tau": Wrong(
            with_beta_dpo(lambda beta, tau: beta * tau),
            "You multiplied β by τ. The votes show rewards divided by τ; so that the price keeps step with them, it "
            "is divided too.",
        ),
        "beta itself": Wrong(
            with_beta_dpo(lambda beta, tau: beta),
            "You took β for β_DPO. That is right for an annotator of temperature 1. The votes of any other show the "
            "rewards in other units, and DPO would stop at another policy.",
        ),
        "upside down": Wrong(
            with_beta_dpo(lambda beta, tau: tau / beta),
            "Your β_DPO is upside down: for a larger β you stay less near to the reference.",
        ),
        "tau itself": Wrong(
            with_beta_dpo(lambda beta, tau: tau),
            "You took τ for β_DPO: then DPO ends at reference times e to the power of the rewards over τ², whatever β "
            "is.",
        ),
        "one over tau": Wrong(
            with_beta_dpo(lambda beta, tau: 1 / tau),
            "You took 1/τ for β_DPO. Then DPO ends at the best policy for β = 1, whatever β you want.",
        ),
        "right policy with beta": Wrong(
            lambda beta, tau, ref_probs, shares: (beta, softmax(np.log(ref_probs) + scores_of(shares) * tau / beta)),
            "Your policy is the one you want, but DPO does not end there with β_DPO = β: that would be so for "
            "temperature 1 only.",
        ),
        "policy with beta": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(np.log(ref) + scores_of(shares) / beta)),
            "Your β_DPO is right. In your policy the log-odds, which are rewards over τ, are divided by β. Either "
            "make rewards of them first or divide by β_DPO.",
        ),
        "multiplied by beta_dpo": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(np.log(ref) + scores_of(shares) * beta / tau)),
            "Your β_DPO is right. In the policy you multiplied by it; β_DPO times the log-ratio of π to π_ref is the "
            "log-odds, so the log-ratio is the log-odds divided by it.",
        ),
        "no reference": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(scores_of(shares) * tau / beta)),
            "Your β_DPO is right. The reference has no part in your policy; the votes only say how far to go away "
            "from it.",
        ),
        "votes copied": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(scores_of(shares))),
            "Your β_DPO is right. Your policy wins against itself as the votes say, and neither the reference nor β "
            "has a part in it: this is the Bradley-Terry model of the votes, not DPO's policy.",
        ),
        "shares for log-odds": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(np.log(ref) + shares.mean(axis=1) * tau / beta)),
            "Your β_DPO is right. You used the shares of votes for the rewards. Rewards over τ are their log-odds.",
        ),
        "losers preferred": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(np.log(ref) - scores_of(shares) * tau / beta)),
            "Your β_DPO is right. Your policy prefers what lost: row i of the table holds what answer i won.",
        ),
        "not normalised": Wrong(
            with_policy(not_normalised),
            "Your β_DPO is right. The weights of your policy do not sum to one.",
        ),
        "best answer": Wrong(
            with_policy(lambda beta, tau, ref, shares: np.eye(len(ref))[shares.mean(axis=1).argmax()]),
            "Your β_DPO is right. Your policy always gives the answer that won most votes: that is the limit at β = 0.",
        ),
        "logarithm of the shares": Wrong(
            with_policy(lambda beta, tau, ref, shares: softmax(np.log(ref) + np.log(shares).mean(axis=1) * tau / beta)),
            "Your β_DPO is right. You used the logarithms of the shares. Turned round, σ gives the logarithm of the "
            "odds, share against one less share.",
        ),
        "log-odds added up": Wrong(
            with_policy(
                lambda beta, tau, ref, shares: softmax(np.log(ref) + np.log(shares / shares.T).sum(axis=1) * tau / beta)
            ),
            "Your β_DPO is right. You added the log-odds against all answers, which is K times too much: one opponent "
            "is enough, or the mean over all.",
        ),
    },
    agrees=agrees,
)
