"""Question ch7-pi-star: the best policy at a price of leaving the reference."""

from decimal import Decimal, localcontext

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
There are K answers to a question. The reference gives them the probabilities `ref_probs`, and they earn `rewards`. Of
all policies the best one for reward less $\beta$ times $\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}})$ is

$\pi^\ast(y\mid x) = \pi_{\text{ref}}(y\mid x)\,e^{r(x, y)/\beta}\,/\,Z(x), \qquad Z(x) = \sum_y \pi_{\text{ref}}(y\mid
x)\,e^{r(x, y)/\beta}.$

Write `best_policy(ref_probs, rewards, beta)`: return $\pi^\ast$, an array of K probabilities, and the number
$\log Z(x)$. Worked: for probabilities $(0.5, 0.5)$, rewards $(\log 3, 0)$ and $\beta = 1$ they are $(0.75, 0.25)$ and
$\log 2$.

It must be right for rewards of a thousand, of either sign, and where the reference gives an answer the probability 0. A
warning that numpy prints for log 0 is no mistake.
"""

STUB = """
def best_policy(ref_probs, rewards, beta):
    ...
    return policy, log_z
"""


def best_policy(ref_probs, rewards, beta):
    exponents = rewards / beta
    largest = exponents.max()
    weights = ref_probs * np.exp(exponents - largest)
    return weights / weights.sum(), largest + np.log(weights.sum())


def best_policy_in_logarithms(ref_probs, rewards, beta):
    log_weights = np.log(ref_probs) + rewards / beta
    log_z = np.logaddexp.reduce(log_weights)
    return [np.exp(log_weights - log_z), log_z]


def best_policy_by_loop(ref_probs, rewards, beta):
    policy = []
    for here in range(len(rewards)):
        # How often each answer comes for one of this one, and their sum: 1/π* where the reference gives it at all.
        others = sum(ref_probs[k] * np.exp((rewards[k] - rewards[here]) / beta) for k in range(len(rewards)))
        policy.append(float(ref_probs[here] / others))
    known = int(np.argmax(policy))
    return policy, float(np.log(ref_probs[known] / policy[known]) + rewards[known] / beta)


def tilt(log_weights):
    log_z = np.logaddexp.reduce(log_weights)
    return np.exp(log_weights - log_z), log_z


def multiplied_by_beta(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) + rewards * beta)


def no_beta(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) + rewards)


def reward_as_a_cost(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) - rewards / beta)


def no_reference(ref_probs, rewards, beta):
    return tilt(rewards / beta)


def reference_divided_too(ref_probs, rewards, beta):
    return tilt((np.log(ref_probs) + rewards) / beta)


def not_normalised(ref_probs, rewards, beta):
    log_weights = np.log(ref_probs) + rewards / beta
    return np.exp(log_weights), np.logaddexp.reduce(log_weights)


def tilted_by_reward(ref_probs, rewards, beta):
    weights = ref_probs * rewards / beta
    return weights / weights.sum(), np.log(weights.sum())


def greedy(ref_probs, rewards, beta):
    reachable = np.where(ref_probs > 0, rewards, -np.inf)
    return np.eye(len(rewards))[reachable.argmax()], tilt(np.log(ref_probs) + rewards / beta)[1]


def z_itself(ref_probs, rewards, beta):
    policy, log_z = tilt(np.log(ref_probs) + rewards / beta)
    return policy, np.exp(log_z)


def best_objective(ref_probs, rewards, beta):
    policy, log_z = tilt(np.log(ref_probs) + rewards / beta)
    return policy, beta * log_z


def largest_not_put_back(ref_probs, rewards, beta):
    policy, log_z = tilt(np.log(ref_probs) + rewards / beta)
    return policy, log_z - rewards.max() / beta


def z_without_reference(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) + rewards / beta)[0], np.logaddexp.reduce(rewards / beta)


def mean_reward(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) + rewards / beta)[0], ref_probs @ rewards / beta


def minus_log_z(ref_probs, rewards, beta):
    policy, log_z = tilt(np.log(ref_probs) + rewards / beta)
    return policy, -log_z


def averaged_z(ref_probs, rewards, beta):
    policy, log_z = tilt(np.log(ref_probs) + rewards / beta)
    return policy, log_z - np.log(len(rewards))


def overflows(ref_probs, rewards, beta):
    weights = ref_probs * np.exp(rewards / beta)
    return weights / weights.sum(), np.log(weights.sum())


def log_z_overflows(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs) + rewards / beta)[0], np.log((ref_probs * np.exp(rewards / beta)).sum())


def small_number_added(ref_probs, rewards, beta):
    return tilt(np.log(ref_probs + 1e-12) + rewards / beta)


def draw(rng):
    """Rewards about β apart, so that no answer takes all; β far from 1, no probability near 0."""
    answers, beta = int(rng.integers(3, 7)), float(rng.uniform(0.2, 0.6))
    rewards = beta * (rng.permutation(answers) + rng.uniform(-0.3, 0.3, answers)) - 0.3
    return rng.dirichlet(np.full(answers, 3.0)) * 0.9 + 0.1 / answers, rewards, beta


def draw_large(rng):
    """All rewards near a thousand, or all near minus a thousand; they differ as in `draw`."""
    ref_probs, rewards, beta = draw(rng)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return ref_probs, rewards + sign * rng.uniform(900.0, 1100.0), beta


def draw_unreachable(rng):
    """The answer that pays best, by 30 β, is one that the reference never gives."""
    ref_probs, rewards, beta = draw(rng)
    never = int(rng.integers(len(rewards)))
    ref_probs[never], rewards[never] = 0.0, rewards.max() + 30.0 * beta
    return ref_probs / ref_probs.sum(), rewards, beta


def expected(ref_probs, rewards, beta):
    """The weights themselves, in decimal numbers of 50 digits, among which none is too large."""
    with localcontext() as context:
        context.prec = 50
        pairs = zip(ref_probs.tolist(), rewards.tolist(), strict=True)
        weights = [Decimal(p) * (Decimal(reward) / Decimal(beta)).exp() for p, reward in pairs]
        return np.array([float(weight / sum(weights)) for weight in weights]), float(sum(weights).ln())


def agrees(got, known):
    try:
        (policy, log_z), (true_policy, true_log_z) = got, known
    except (TypeError, ValueError):
        return False
    return close(policy, true_policy) and close(log_z, true_log_z)


RIGHT = {
    "model": best_policy,
    "in logarithms, as a list": best_policy_in_logarithms,
    "loop over ratios": best_policy_by_loop,
}

QUESTION = Question(
    name="ch7-pi-star",
    title="The best policy",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (policy, log Z): reference times e to the reward over β, made to sum to one, and the logarithm of "
        "what it was divided by. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("ordinary rewards", 3, draw),
        Part("rewards of a thousand", 2, draw_large),
        Part("an answer that the reference never gives", 1, draw_unreachable),
    ),
    right=RIGHT,
    wrong={
        "multiplied by beta": Wrong(
            multiplied_by_beta,
            "You multiplied the rewards by β. The dearer it is to leave the reference, the nearer to it the best "
            "policy should be.",
        ),
        "no beta": Wrong(
            no_beta,
            "β has no part in your policy. The price of leaving the reference says how far it pays to go.",
        ),
        "reward as a cost": Wrong(
            reward_as_a_cost,
            "Your policy prefers what pays least: the exponent has the wrong sign.",
        ),
        "no reference": Wrong(
            no_reference,
            "The reference has no part in your weights: this is the best policy when the reference gives all answers "
            "alike.",
        ),
        "reference divided too": Wrong(
            reference_divided_too,
            "You divided the logarithm of the reference by β too. It stands outside the exponent: at rewards of 0 the "
            "best policy is the reference itself.",
        ),
        "not normalised": Wrong(
            not_normalised,
            "Your log Z is right, but your weights do not sum to one. What has to be done with Z?",
        ),
        "tilted by reward": Wrong(
            tilted_by_reward,
            "You weighted the reference with the reward itself. A negative reward then makes a negative probability; "
            "the weight is e to the reward over β.",
        ),
        "greedy": Wrong(
            greedy,
            "Your log Z is right. Your policy always gives the best answer: that is what remains when leaving the "
            "reference costs nothing.",
        ),
        "Z itself": Wrong(
            z_itself,
            "Your policy is right. You returned Z; its logarithm was asked for.",
        ),
        "best objective": Wrong(
            best_objective,
            "Your policy is right. You returned β log Z, which is J*, what the best policy attains. log Z alone was "
            "asked for.",
        ),
        "largest not put back": Wrong(
            largest_not_put_back,
            "Your policy is right. Before the exponential you took the largest exponent away, and in log Z it is "
            "still missing.",
        ),
        "Z without reference": Wrong(
            z_without_reference,
            "Your policy is right. In log Z the terms are not weighted with the reference.",
        ),
        "mean reward": Wrong(
            mean_reward,
            "Your policy is right. You averaged the exponents under the reference; Z averages the exponentials, and "
            "by Jensen's inequality its logarithm is larger.",
        ),
        "overflows": Wrong(
            overflows,
            "Right for ordinary rewards, but e to the power of thousands is infinite, or 0, and you divide by it. The "
            "same number taken from all exponents changes no ratio.",
        ),
        "log Z overflows": Wrong(
            log_z_overflows,
            "Your policy is right everywhere, but for rewards of a thousand your log Z is infinite. Which function of "
            "numpy adds exponentials in logarithms?",
        ),
        "small number added": Wrong(
            small_number_added,
            "The small number that you add to the probabilities becomes large when it is multiplied by e to the "
            "reward over β. What the reference never gives, the best policy never gives either.",
        ),
        "minus log Z": Wrong(
            minus_log_z,
            "Your policy is right. Your number is minus log Z: what is added to the logarithms of the weights, not "
            "what they are divided by.",
        ),
        "averaged Z": Wrong(
            averaged_z,
            "Your policy is right. In Z you took the mean of the K terms. The reference's probabilities are their "
            "weights already, so it is a sum.",
        ),
    },
    agrees=agrees,
)
