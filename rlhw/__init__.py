"""Reinforcement learning from human feedback, checked against known answers.

Import the module you need (`from rlhw import policy_gradient`): nothing is re-exported, nothing heavy loaded here.

Map, chapter by chapter:

    1  Policy gradient             symbolic (the proofs), policy_gradient (softmax, score, exact gradient)
    2  REINFORCE on a toy bandit   bandits (arms, action rules, regret), policy_gradient (estimates and baselines)
    3  Behavior cloning of GPT-2   language_model (load, generate), logprobs, behavior_cloning, weighted_update
    4  Human preferences           preferences (comparisons, Label Studio, agreement, Elo), labelling (a widget that asks),
                                   pair_sampling (two answers of a model to each prompt)
    5  Reward model                reward_model (heads, losses, training), calibration
    6  PPO                         rollouts (samples with scores), ppo (GAE, clipped losses, KL control, the loop),
                                   ppo_details (each detail of it with a switch)
    7  DPO                         dpo (DPO, IPO, KTO)
    8  How good is it?             evaluation (win rates, best-of-n, what can be attained), overoptimisation (two forms of decline)
    9  Without a critic            grpo (leave-one-out and group advantages), groups (what K answers are worth, exactly),
                                   dialogue (turns that can be enumerated)
   10  Scaling out                 scaling (bytes, operations, gaps between numbers), captured (sampling on a GPU by
                                   replaying one step), decoding_step (that step: prompts read once, fixed addresses)

    B1 Bandits                     bandits, regret (how little of it is possible)
    B2 Markov decision processes   mdp (the model and its simulation), worlds (gridworld, cliff, walk), dynamic_programming
    B3 Learning to predict         temporal_difference (Monte Carlo, TD, n-step, lambda)
    B4 Learning to act             control (SARSA, Q-learning), off_policy (importance sampling)
    B5 Function approximation      function_approximation (linear values, closed forms, the deadly triad)
    B6 Actor-critic                actor_critic (policy-gradient theorem, advantages, KL-limited steps)

The whole loop, and what came of it: pipeline (`rlhw run`). Runs that do not crash and are wrong: clinic

What they are measured on:

    tiny_tldr   a small forum with a teacher, a gold reward and an annotator, all exact; tiny: the GPT-2 that knows its words
    tabular_lm  a table that speaks as a language model does: every answer can be enumerated

What the training loops share:

    batches     prompts with K answers each, their masks and order       training    guarded step, schedule, early stopping
    checkpoint  whole files, resuming bit for bit                         saving      folders whole or not at all

In every chapter:

    laws        what must hold of any implementation: numerical gradients, enumeration, check_*(fn)
    exercises   the questions, with the check of each
    homework    the assignments: one source each, built into the notebooks of students, instructors and the grader
    nbval_plugin  what makes nbval judge homework by its right checks, at home
    grading     grades a folder of submissions; student code runs in a sandbox only
    mutants     implementations that are wrong on purpose: each must be rejected by its law
    plots       figures with one colour-blind-safe style and alt text
    widgets     what moves on the page; each computes what its Python twin computes
    cards       the measured numbers that the pages print
    session     what `setup`, `check` and `check_notebook` below do

Symbols, the same in text, code and figures:

    B  batch      T  time            V  vocabulary   S  states     A  actions (arms)     K  candidate answers
    z  logits     p  probabilities   r  reward       b  baseline   theta  parameters     beta  weight of the KL
"""

__version__ = "0.1.0"


def setup() -> None:
    """Print the versions, the scale and the device of this session, and set the style of its figures."""
    from rlhw import session

    session.setup()


def check(question: str, answer: object, part: str = "", variant: str = "") -> None:
    """Print the verdict on an answer to an exercise: `rlhw.check("ch1-score", score)`; homework names a part of it.

    Nothing is returned, so that a cell shows one line; `rlhw.exercises.verdict` returns what was found.
    """
    from rlhw import exercises

    exercises.check(question, answer, part, variant)


def check_notebook() -> None:
    """Print which exercises of this session have passed, have failed, or have not been run yet."""
    from rlhw import session

    session.check_notebook()
