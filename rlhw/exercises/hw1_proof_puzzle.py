"""Question hw1-proof-puzzle: why a baseline is free, line by line. Each student may get other letters and false lines."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
There are finitely many questions $x$, asked with probabilities $p(x)$, and finitely many answers $y$; the policy
$\pi(y\mid x) > 0$ is differentiable in its parameters, and $\nabla$ is the gradient with respect to them. $b(x)$ is any
function of the question alone, fixed while we differentiate. $\mathbb E$ is the expectation over $x\sim p$ and
$y\sim\pi(\cdot\mid x)$. You know already that $\nabla J_{\text{RL}} = \mathbb E[r(x, y)\,\nabla\log\pi(y\mid x)]$.

The lines below prove that a baseline $b(x)$ leaves the expected update as it is. They are shuffled, and three of them are
false. Give the letters of the six true lines in the right order, as one string. Each line that begins with = continues the
line before it, in one step.

LINES
"""

STUB = """
proof = None  # such as "ABCDEF"
"""

TRUE = {
    "definition": r"$\mathbb E[b(x)\,\nabla\log\pi(y\mid x)] = \sum_x p(x)\sum_y \pi(y\mid x)\,b(x)\,\nabla\log\pi(y\mid "
    r"x)$, by the definition of an expectation.",
    "outside": r"$= \sum_x p(x)\,b(x)\sum_y \pi(y\mid x)\,\nabla\log\pi(y\mid x)$, because $b(x)$ is the same number for "
    r"every answer to $x$.",
    "logarithm": r"$= \sum_x p(x)\,b(x)\sum_y \nabla\pi(y\mid x)$, because $\nabla\log\pi = \nabla\pi/\pi$.",
    "exchange": r"$= \sum_x p(x)\,b(x)\,\nabla\sum_y \pi(y\mid x)$, because a finite sum may be differentiated term by term.",
    "one": r"$= \sum_x p(x)\,b(x)\,\nabla 1 = 0$, because the probabilities of the answers to a question sum to one, "
    r"whatever the parameters are.",
    "conclusion": r"So $\mathbb E[(r(x, y) - b(x))\,\nabla\log\pi(y\mid x)] = \mathbb E[r(x, y)\,\nabla\log\pi(y\mid x)] = "
    r"\nabla J_{\text{RL}}$, because an expectation is linear.",
}

FALSE_STEPS = {
    "weights lost": r"$= \sum_x p(x)\,b(x)\sum_y \nabla\log\pi(y\mid x)$, because the probabilities $\pi(y\mid x)$ sum to "
    r"one.",
    "logarithm dropped": r"$= \sum_x p(x)\,b(x)\sum_y \pi(y\mid x)\,\nabla\pi(y\mid x)$, because the logarithm is "
    r"increasing, so that $\nabla\log\pi$ and $\nabla\pi$ are the same.",
    "centred": r"$= \sum_x p(x)\,b(x) = 0$, because a baseline has the mean 0 over the questions.",
    "no score": r"$= \sum_x p(x)\,b(x)\sum_y \pi(y\mid x)\cdot 0 = 0$, because each score $\nabla\log\pi(y\mid x)$ is 0.",
}

FALSE_CONCLUSIONS = {
    "peeks": r"So $\mathbb E[(r(x, y) - b(x, y))\,\nabla\log\pi(y\mid x)] = \nabla J_{\text{RL}}$ also for a baseline "
    r"$b(x, y)$ that looks at the answer, because an expectation is linear.",
    "no effect": r"So $(r(x, y) - b(x))\,\nabla\log\pi(y\mid x) = r(x, y)\,\nabla\log\pi(y\mid x)$ for every question and "
    r"answer, because what has the mean 0 is 0.",
}

# The lines that someone gives, and the hint. {name} stands for the letter of a line.
SLIPS = {
    "weights lost": (
        "definition,outside,weights lost,exchange,one,conclusion",
        "Line {weights lost} is false: π stands in front of each score, and it does not vanish because its sum is one. Which "
        "true line makes something of π and ∇log π?",
    ),
    "logarithm dropped": (
        "definition,outside,logarithm dropped,exchange,one,conclusion",
        "Line {logarithm dropped} is false: the gradient of log π is that of π divided by π. That two functions grow "
        "together does not make their slopes equal.",
    ),
    "centred": (
        "definition,outside,centred,conclusion",
        "Line {centred} is false: nobody asked the baseline to have the mean 0, and any b(x) will do. What is 0 is the mean "
        "score at each question.",
    ),
    "no score": (
        "definition,outside,no score,conclusion",
        "Line {no score} is false: single scores are not 0, or nothing could ever be learnt. Their mean under the policy is.",
    ),
    "peeks": (
        "definition,outside,logarithm,exchange,one,peeks",
        "Line {peeks} is false: when b looks at the answer it can't be taken out of the sum over the answers, as line "
        "{outside} does.",
    ),
    "no effect": (
        "definition,outside,logarithm,exchange,one,no effect",
        "Line {no effect} is false: the mean of the update stays the same, single updates do not. That is why a baseline "
        "can lower the variance.",
    ),
    "starts too late": (
        "outside,logarithm,exchange,one,conclusion",
        "The steps follow well from each other, but {outside} transforms a sum that nobody has written down. Which line "
        "says what the expectation is?",
    ),
    "not finished": (
        "definition,outside,logarithm,exchange,one",
        "So far all is right: the baseline's part is 0. One line is left, the one that says what follows for the update.",
    ),
    "baseline left inside": (
        "definition,logarithm,exchange,one,conclusion",
        "In {definition} b(x) stands inside the sum over the answers, in {logarithm} outside. Which line takes it there, and "
        "why may it?",
    ),
    "logarithm left out": (
        "definition,outside,exchange,one,conclusion",
        "Line {exchange} knows π only, line {outside} still has its logarithm. The step between them is left out.",
    ),
    "exchange left out": (
        "definition,outside,logarithm,one,conclusion",
        "In {logarithm} each term is differentiated, in {one} the sum of all. Which line exchanges the two, and why may it?",
    ),
    "not yet zero": (
        "definition,outside,logarithm,exchange,conclusion",
        "Line {conclusion} uses that the baseline's part is 0, and that has not been said. What does the sum in {exchange} "
        "come to?",
    ),
    "exchange too early": (
        "definition,outside,exchange,logarithm,one,conclusion",
        "The right six lines, with two in the wrong order: {exchange} takes ∇ out of a sum of ∇π, and only {logarithm} "
        "brings that in.",
    ),
    "baseline taken out too late": (
        "definition,logarithm,outside,exchange,one,conclusion",
        "The right six lines, with two in the wrong order: in {logarithm} b(x) is outside the sum over the answers already.",
    ),
    "conclusion first": (
        "conclusion,definition,outside,logarithm,exchange,one",
        "The right six lines, but you state the conclusion before it is proven: it uses that the baseline's part is 0.",
    ),
}


def letters(answer):
    """The letters of an answer in capitals: of one text, or of a list of texts. None of what is too long to be a proof."""
    parts = [answer] if isinstance(answer, str) else answer if isinstance(answer, list | tuple) else []
    text = "".join(part for part in parts[:100] if isinstance(part, str) and len(part) <= 100)
    return [character for character in text.upper() if character.isalpha()]


def agrees(got, known):
    """The same letters in the same order; in any order where a frozenset is expected."""
    given = letters(got)
    return sorted(given) == sorted(known) if isinstance(known, frozenset) else given == list(known)


def forms(proof):
    """The right answer as people write it."""
    return {
        "value": proof,
        "lower case": proof.lower(),
        "spaces": " ".join(proof),
        "commas": ", ".join(proof),
        "commas without spaces": ",".join(proof),
        "arrows": " -> ".join(proof),
        "line by line": "\n".join(proof) + "\n",
        "full stops": ". ".join(proof.lower()) + ".",
        "list": list(proof),
        "tuple of lower-case letters": tuple(proof.lower()),
        "two halves": [proof[:3], proof[3:]],
    }


def puzzle(rng: np.random.Generator) -> Question:
    """The puzzle with two of the false steps and one of the false conclusions, its lines in any order."""
    chosen = [*rng.permutation(list(FALSE_STEPS))[:2], rng.choice(list(FALSE_CONCLUSIONS))]
    lines = {**TRUE, **{name: {**FALSE_STEPS, **FALSE_CONCLUSIONS}[name] for name in map(str, chosen)}}
    order = [str(name) for name in rng.permutation(list(lines))]
    letter = dict(zip(order, "ABCDEFGHI", strict=True))
    proof = "".join(letter[name] for name in TRUE)
    wrong = {
        name: Wrong("".join(letter[line] for line in given.split(",")), hint.format(**letter))
        for name, (given, hint) in SLIPS.items()
        if set(given.split(",")) <= set(lines)
    }
    return Question(
        name="hw1-proof-puzzle",
        title="Why a baseline is free",
        stars=2,
        minutes=12,
        text=TEXT.strip().replace("LINES", "\n".join(f"- **{letter[name]}**: {lines[name]}" for name in order)),
        stub=STUB.strip(),
        law=(
            "Begin with the line that says what the baseline's part of the update is. Each next line changes one thing only, "
            "for the reason it gives, and the last one says what follows."
        ),
        expected=lambda asked: frozenset(proof) if asked == "lines" else proof,
        parts=(
            Part("the six true lines", 4, lambda rng: ("lines",), cases=1),
            Part("their order", 6, lambda rng: ("order",), cases=1),
        ),
        right=forms(proof),
        wrong=wrong,
        variant=puzzle,
        agrees=agrees,
    )


QUESTION = puzzle(np.random.default_rng(1))
