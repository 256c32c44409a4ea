"""hw1: from imitation to reward. Derivations are answered as functions, checked by numbers; proofs in words go to people."""

from rlhw.homework.assignment import Asked, Assignment, Prose
from rlhw.homework.hw1_written import ALGORITHM, BASELINE, DIFFERENCES, PROOF

INTRODUCTION = r"""
A policy $\pi_\theta(y\mid x)$ answers questions. It can learn from a teacher's answers (cloning) or from rewards for its own
(REINFORCE). In three parts you derive the gradient of either objective, turn it into an algorithm, find out what may be
subtracted from a reward and what not, and say what the two algorithms have in common.

Unlike in chapters 1 and 2 there are **several questions** throughout. $X$ questions $x$ are asked with probabilities $p(x)$,
given as an array `question_probs` of $X$ numbers. Each has $K$ answers $y$, counted from 0 like the questions. A policy is a
table of logits with $X$ rows and $K$ columns, and $\pi_\theta(y\mid x)$ is the softmax of row $x$; $\theta$ is the whole
table. A gradient with respect to $\theta$ is a table of the same shape.

**What the checks read**: nine answers, seven functions among them. A formula is checked by its numbers, on fresh inputs,
against difference quotients and sums over everything that can happen. **What people read**: four answers in words, marked by
their steps. A right formula at the end does not repair a wrong step before it, and a gap that you name costs less than one
that you hide. You may use numpy and whatever you know from chapters 1 and 2. No function printed there fits here as it stands.
Two of the proofs are close to ones in chapter 1: close the book before you write, and use your own words.
"""

IMITATION = r"""
## 1. Learning from a teacher

$J_{\text{MLE}}(\theta) = \sum_x p(x) \sum_y \pi_{\text{teacher}}(y\mid x)\,\log\pi_\theta(y\mid x)$: the mean log-probability
that the policy gives to the teacher's answers."""

REWARD = r"""
## 2. Learning from a reward

$J_{\text{RL}}(\theta) = \sum_x p(x) \sum_y \pi_\theta(y\mid x)\,r(x, y)$: what the policy earns on average. The reward
$r(x, y)$ is a number for each answer. It does not depend on $\theta$ and is never differentiated."""

SUBTRACTED = r"""
### What may be subtracted from a reward"""

BOTH = r"""
## 3. The two side by side"""

ASSIGNMENT = Assignment(
    name="hw1",
    stem="hw1_policy_gradient",
    title="Homework 1: from imitation to reward",
    introduction=INTRODUCTION.strip(),
    items=(
        Prose(IMITATION),
        Asked("hw1-mle-gradient", binds=("mle_gradient",)),
        Asked("hw1-cloning-step", binds=("cloning_step",)),
        ALGORITHM,
        Prose(REWARD),
        Asked("hw1-rl-gradient", binds=("rl_gradient",)),
        PROOF,
        Asked("hw1-reinforce-step", binds=("reinforce_step",)),
        Prose(SUBTRACTED),
        Asked("hw1-proof-puzzle", binds=("proof",)),
        BASELINE,
        Asked("hw1-value-and-advantage", binds=("value_and_advantage",)),
        Asked("hw1-baseline-bias", binds=("baseline_bias",)),
        Asked("hw1-variance", binds=("variance",)),
        Prose(BOTH),
        Asked("hw1-compare", binds=("compared",)),
        DIFFERENCES,
    ),
)
