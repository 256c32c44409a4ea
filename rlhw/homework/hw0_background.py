"""hw0: five small functions of reinforcement learning, to find out what to read before hw1 and hw2. Not graded."""

from rlhw.homework.assignment import Asked, Assignment, Prose

INTRODUCTION = r"""
Five small functions of reinforcement learning. They are asked here before anything depends on them, so that you find out
which chapter of the background to read before homework 1 and 2, and which one you can leave out. Try each one from what
you know. Where a check is not content and its hint does not help, read the section that is named above the question,
and only that.

You need Python with numpy, expected values, and nothing of this course."""

EXPLORING = r"""
## 1. Choosing when one does not know

**Taught in** chapter B1, *Three ways to choose*. **It prepares for** chapter 2 and homework 1: REINFORCE has no coin that
says "explore now". It explores because it draws from its own probabilities, and to see what that costs one must be able to
write such probabilities down, ties included."""

LOOKING_AHEAD = r"""
## 2. A value from the values that follow

**Taught in** chapter B2, *Bellman's equation*, *The best there is* and *Sweeps*. **It prepares for** the critic of chapter 6
and of homework 2: a value is what is paid now plus what the next state is worth. Chapter 7 has the same maximum, softened,
over the answers of a language model."""

PREDICTING = r"""
## 3. Learning a value from one step

**Taught in** chapter B3, *Ask the neighbour: TD(0)*. **It prepares for** `hw2-gae` in homework 2: the $\delta_t$ there is
this error, with tokens for states, and an advantage is a sum of such errors. What the table says of a state *after* the end
must never enter. In homework 2 the same is asked of padding."""

ACTING = r"""
## 4. Learning what the best way is worth

**Taught in** chapter B4, *Q-learning: what the best way is worth*. **It prepares for** telling learners apart: this one may
learn from anybody's steps, since its target asks for the best next action and not for the one that was taken. The gradient
of homework 1 may not: its answers must come from the policy that is being trained."""

REWEIGHING = r"""
## 5. Another's episodes

**Taught in** chapter B4, *Another's episodes*. **It prepares for** `hw2-clipped-loss` in homework 2: PPO takes several
steps on answers of the policy of a moment ago, and weighs them by this ratio, clipped. Why it must be clipped shows here:
ratios multiply along an episode, so their product soon is tiny or huge."""

ASSIGNMENT = Assignment(
    name="hw0",
    stem="hw0_background",
    title="Homework 0: what you should know before you begin",
    introduction=INTRODUCTION.strip(),
    items=(
        Prose(EXPLORING),
        Asked("b1-epsilon-greedy", binds=("epsilon_greedy",)),
        Prose(LOOKING_AHEAD),
        Asked("b2-bellman-backup", binds=("backup",)),
        Prose(PREDICTING),
        Asked("b3-td-error", binds=("td_step",)),
        Prose(ACTING),
        Asked("b4-q-learning", binds=("q_learning_step",)),
        Prose(REWEIGHING),
        Asked("b4-importance-sampling", binds=("estimates",)),
    ),
    graded=False,
)
