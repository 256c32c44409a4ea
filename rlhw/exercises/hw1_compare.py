"""Question hw1-compare: cloning, REINFORCE, both or neither: eight statements, for each student others if wished."""

from collections.abc import Callable

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Say for each statement whether it is true of cloning ("MLE"), of REINFORCE ("RL"), of "both" or of "neither". Both train a
policy $\pi_\theta(y\mid x)$ by sampled steps of ascent: cloning on $J_{\text{MLE}} = \mathbb E[\log\pi_\theta(y\mid x)]$
with the answers of a teacher, REINFORCE on $J_{\text{RL}} = \mathbb E[r(x, y)]$ with answers of its own. Where logits are
spoken of, each question has logits of its own.

LINES

Answer with a dictionary from letters to names.
"""

STUB = """
compared = None  # such as {"a": "both", "b": "MLE", ...}
"""

# Each statement with what it is true of, what is often said instead, and the hint.
STATEMENTS = (
    (
        "up to a number that does not depend on $\\theta$, its objective is minus the mean over the questions of "
        "$\\operatorname{KL}(\\pi_{\\text{teacher}}\\,\\Vert\\,\\pi_\\theta)$",
        "MLE",
        "both",
        "only one of the two objectives knows a teacher at all. Add and subtract the log of the teacher's probability in it.",
    ),
    (
        "every sampled update, if the step is small enough, makes the sampled answer more likely (or leaves it as it is, where "
        "it is certain)",
        "MLE",
        "both",
        "what is the sign of the weight? In REINFORCE it is reward minus baseline.",
    ),
    (
        "the mean of weight times $\\log\\pi_\\theta$ over its samples estimates the objective itself, and not only its gradient",
        "MLE",
        "both",
        "in REINFORCE that mean is the surrogate: its gradient is the right one, but its value is not the expected reward.",
    ),
    (
        "it works where nobody can say how good an answer is, as long as good answers are at hand",
        "MLE",
        "RL",
        "one of the two needs a number for each answer it gives; the other needs answers to copy.",
    ),
    (
        "where all answers earn the same, whatever the question, its expected update is 0",
        "RL",
        "both",
        "put r = 1 into the gradient. What remains is the mean score under the law that the answers are drawn from.",
    ),
    (
        "a good answer can only be learned from once the policy itself has given it",
        "RL",
        "neither",
        "where do the answers come from? What is never drawn has no reward and no score.",
    ),
    (
        "where one answer is the best, its optimum gives that answer alone, even if the teacher gave several",
        "RL",
        "both",
        "an optimum that earns most has no reason to keep the second best. An optimum that matches a law keeps its spread.",
    ),
    (
        "the mean score under the law that its answers are drawn from is 0, whatever $\\theta$ is",
        "RL",
        "both",
        "the identity needs the score and the law to belong to the same policy. Under the teacher's law the mean score is the "
        "whole gradient.",
    ),
    (
        "replacing a sampled update by the mean of $N$ independent ones, all at the same $\\theta$, keeps the mean and divides "
        "the variance by $N$",
        "both",
        "MLE",
        "this is true of the mean of any N independent samples. It does not matter whose they are.",
    ),
    (
        "the only derivative that has to be computed is that of $\\log\\pi_\\theta$",
        "both",
        "MLE",
        "the reward is never differentiated, and neither is the teacher: weight times score is all there is.",
    ),
    (
        "the entries of a sampled update of the logits sum to 0 at every question",
        "both",
        "MLE",
        "the entries of each score, 1_y - π, sum to 0. A weight in front does not change that.",
    ),
    (
        "that the questions are drawn from $p(x)$ adds no term to the gradient, because $p(x)$ does not depend on $\\theta$",
        "both",
        "MLE",
        "the questions come from the world in both, and the world does not change with θ. Only the answers' law differs.",
    ),
    (
        "its algorithm needs the number $p(x)$ of each question, and not only questions drawn with it",
        "neither",
        "both",
        "a drawn question has counted p(x) already. Exact gradients need the number; sampled steps do not.",
    ),
    (
        "subtracting from its weight a baseline $b(x, y)$ that looks at the answer leaves the expected update as it is",
        "neither",
        "RL",
        "b can be taken out of the expectation over the answers only if it does not depend on the answer.",
    ),
    (
        "its parameters move along the gradient of the gradient of its objective",
        "neither",
        "both",
        "J' is the direction already, and one derivative is all that ascent takes.",
    ),
    (
        "the logarithm of the teacher's probability is differentiated with respect to $\\theta$",
        "neither",
        "MLE",
        "the teacher does not know θ. Its probabilities say which answers come, and the log of the policy is differentiated.",
    ),
)
NAMES = ("MLE", "RL", "both", "neither")
HALVES = {"first": "abcd", "second": "efgh"}


def tidy(answer):
    """Letters and names in small letters without spaces. None where the answer is no dictionary."""
    if not isinstance(answer, dict):
        return None
    named = ((key, value) for key, value in answer.items() if isinstance(key, str) and isinstance(value, str))
    return {key.strip().lower(): value.strip().lower() for key, value in named}


def agrees(got, known):
    """The same names where `known` has some: half of the statements, or a single one."""
    given = tidy(got)
    return given is not None and all(given.get(letter) == name for letter, name in tidy(known).items())


def forms(names: dict[str, str]) -> dict[str, dict]:
    """The right answer as people write it."""
    return {
        "value": names,
        "lower case": {letter: name.lower() for letter, name in names.items()},
        "capitals": {letter.upper(): name.upper() for letter, name in names.items()},
        "first letter large": {letter: name.title() for letter, name in names.items()},
        "from the end": dict(reversed(names.items())),
        "spaces": {f" {letter}": f"{name} " for letter, name in names.items()},
        "by name": dict(sorted(names.items(), key=lambda item: item[1])),
        "large letters, small names": {letter.upper(): name.lower() for letter, name in names.items()},
        "one letter more": {**names, "z": "both"},
        "line ends": {letter: f"{name}\n" for letter, name in names.items()},
    }


def mistaken(letter: str, name: str, names: dict[str, str]) -> Callable[[str], dict]:
    """One statement judged wrongly. For its half of the statements it knows this one alone, so that the hint is found for
    everybody who judges it so; the other half is right."""

    def answer(half):
        return {letter: name} if letter in HALVES[half] else {other: names[other] for other in HALVES[half]}

    return answer


def comparison(rng: np.random.Generator) -> Question:
    """Eight of the statements in any order: one to three of each kind."""
    kinds = {name: [s for s in STATEMENTS if s[1] == name] for name in NAMES}
    counts = rng.permutation([1, 2, 2, 3])
    chosen = [
        kinds[name][i] for name, n in zip(NAMES, counts, strict=True) for i in rng.permutation(len(kinds[name]))[:n]
    ]
    lettered = dict(zip("abcdefgh", [chosen[i] for i in rng.permutation(len(chosen))], strict=True))
    names = {letter: true for letter, (_, true, _, _) in lettered.items()}
    return Question(
        name="hw1-compare",
        title="Cloning, REINFORCE, both or neither",
        stars=1,
        minutes=8,
        text=TEXT.strip().replace("LINES", "\n".join(f"- **{letter}**: {s[0]}" for letter, s in lettered.items())),
        stub=STUB.strip(),
        law=(
            "Hand over a dictionary with a name for each letter. Ask of each statement: where do the answers come from, and "
            "what is the weight of the score?"
        ),
        expected=lambda half: {letter: names[letter] for letter in HALVES[half]},
        parts=(
            Part("statements a to d", 2, lambda rng: ("first",), cases=1),
            Part("statements e to h", 2, lambda rng: ("second",), cases=1),
        ),
        right=forms(names),
        wrong={
            f"{letter} taken for {said}": Wrong(mistaken(letter, said, names), f"Look at {letter} again: {hint}")
            for letter, (_, _, said, hint) in lettered.items()
        },
        variant=comparison,
        agrees=agrees,
    )


QUESTION = comparison(np.random.default_rng(1))
