"""The teacher of the small forum, word by word: the exact law of the next word of a summary, given the words before it.

`Teacher` states the law of whole summaries. A summary is a row of slots, each filled independently of the others with one
of several runs of words ("on monday" or nothing), so the probability of all summaries that begin with given words is a short sum.
"""

from rlhw.tiny_tldr import Post, Teacher

EOS = "<eos>"
Words = tuple[str, ...]
Slot = dict[Words, float]  # run of words -> its probability
NOTHING: Words = ()


def slots(teacher: Teacher, post: Post) -> list[Slot]:
    """The slots of a summary of this post in their order, the eos last; each slot's probabilities sum to one."""
    chance = teacher.inclusion(post)

    def value(kind: str, before: str = "", after: str = "") -> Slot:
        law = teacher.values(post, kind).items()
        return {(*before.split(), *text.split(), *after.split()): p for text, p in law}

    def maybe(kind: str, runs: Slot) -> Slot:
        return {run: chance[kind] * p for run, p in runs.items()} | {NOTHING: 1 - chance[kind]}

    told = "also , our {} {} our {} .".format(*post.old_story).split() if post.old_story else []
    return [
        maybe("basically", {("basically", ","): 1.0}),
        value("who", "my"),
        value("did"),
        value("thing", "my"),
        maybe("day", value("day", "on")),
        {(".",): 1.0},
        maybe("cost", value("cost", "it cost", "dollars .")),
        maybe("feeling", value("feeling", "i feel", ".")),
        maybe("old", {tuple(told): 1.0}) if told else {NOTHING: 1.0},
        maybe("ask", value("ask", "should i", "?")),
        {(EOS,): 1.0},
    ]


def begun(row: list[Slot], before: Words) -> dict[str, float]:
    """word -> the probability that a summary made of these slots begins with the words `before` and then this word."""
    law: dict[str, float] = {}
    for run, p in row[0].items() if row else ():
        if len(run) > len(before):
            ways = {run[len(before)]: 1.0} if run[: len(before)] == before else {}
        else:
            ways = begun(row[1:], before[len(run) :]) if before[: len(run)] == run else {}
        for word, q in ways.items():
            law[word] = law.get(word, 0.0) + p * q
    return law


def next_words(teacher: Teacher, post: Post, before: Words) -> dict[str, float]:
    """The law of the next word after the words `before`: {word: probability}, those that can follow only.

    Raises ValueError when the teacher never begins a summary of this post so, or when it ends there.
    """
    law = begun(slots(teacher, post), before)
    whole = sum(law.values())
    if not whole > 0:
        raise ValueError(f"before: no summary of this post that the teacher writes goes on after {' '.join(before)!r}.")
    return {word: p / whole for word, p in law.items() if p > 0}
