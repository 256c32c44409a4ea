"""Implementations that are wrong on purpose: every one must be rejected by its law.

Two kinds. By hand (one file a subject, named as in `rlhw.laws`): slips that people make. Mechanical (`mechanical.py`): one
operator, number or name changed in the source of our own functions. `rlhw laws --mutants` shows both.
"""

import importlib
import importlib.util
import os
import warnings
from collections.abc import Callable

import numpy as np

from rlhw import laws
from rlhw.mutants import (
    actor_critic,
    bandits,
    comparisons,
    control,
    decoding,
    dynamic_programming,
    evaluation,
    exploration,
    function_approximation,
    groups,
    importance,
    language_models,
    linear_learning,
    off_policy,
    policy_gradient,
    policy_optimization,
    preference_optimization,
    regret,
    running_means,
    sampling,
    scaling,
    sequences,
    temporal_difference,
    trust_region,
)
from rlhw.mutants.adapters import ADAPTERS
from rlhw.mutants.promises import PROMISES
from rlhw.mutants.survivors import SURVIVORS

CHAPTERS = (
    policy_gradient,
    bandits,
    dynamic_programming,
    sequences,
    comparisons,
    language_models,
    sampling,
    decoding,
    policy_optimization,
    preference_optimization,
    evaluation,
    groups,
    actor_critic,
    trust_region,
    temporal_difference,
    function_approximation,
    linear_learning,
    importance,
    regret,
    running_means,
    exploration,
    control,
    off_policy,
    scaling,
)
LEAST_SHARE = 0.9
NOT_RUN = (
    "mechanical mutants were not run: they need cosmic-ray, which is part of the extra dev. "
    "Install it with `python -m pip install cosmic-ray`."
)


def law_names() -> list[str]:
    """Every law of `rlhw.laws`: the names that begin with check_."""
    return [name for name in vars(laws) if name.startswith("check_")]


def subjects() -> dict[str, str]:
    """The library function that each law speaks of: {"check_score": "rlhw.policy_gradient:score", …}."""
    return {law: address for chapter in CHAPTERS for law, address in chapter.SUBJECTS.items()}


def hand_mutants() -> dict[str, dict[str, Callable]]:
    """The mutants written by hand: {"check_score": {"sign flipped": fn, …}, …}."""
    return {law: mutants for chapter in CHAPTERS for law, mutants in chapter.MUTANTS.items()}


def load(address: str) -> Callable:
    """The function at "module:name"."""
    module, name = address.split(":")
    return getattr(importlib.import_module(module), name)


def dressed(law: str, fn: Callable) -> Callable:
    """A function of the library in the form that its law calls; `adapters.py` says which."""
    return ADAPTERS[law](fn) if law in ADAPTERS else fn


def broken_law(law: str, fn: Callable, ours: bool = False) -> str:
    """What `law` says against fn: "law: its sentence", or the error that fn itself died of; "" when the law holds.

    fn is in the form that the law calls. With ours=True it is a function as the library has it: it is dressed for its law,
    and then held to the errors and defaults that our docstrings state.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            getattr(laws, law)(dressed(law, fn) if ours else fn)
            if ours and law in PROMISES:
                PROMISES[law](fn)
        except AssertionError as error:
            return f"law: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def main(mutants: bool = False) -> int:
    """The verb `rlhw laws [--mutants]`: 0 when every law holds and (with mutants) every mutant is killed, else 1.

    Killed means that the law raised AssertionError; a mechanical mutant that dies of an error of its own is killed too.
    Mechanical survivors that `survivors.py` explains as doing no harm are shown, and left out of the last line.
    """
    return _mutants() if mutants else _laws()


def _laws() -> int:
    broken = 0
    for law, address in subjects().items():
        sentence = broken_law(law, load(address), ours=True)
        broken += bool(sentence)
        print(f"{'BROKEN' if sentence else 'holds '}  {law:26} {address}")
        if sentence:
            print(f"        {sentence}")
    print(f"{len(subjects()) - broken} of {len(subjects())} laws hold")
    return int(broken > 0)


def _mutants() -> int:
    outcomes = []
    if importlib.util.find_spec("cosmic_ray") is not None:
        from rlhw.mutants import mechanical

        outcomes = mechanical.run_side_by_side(mechanical.mutants(subjects(), os.cpu_count() or 1))
    by_hand = {law: {name: broken_law(law, fn) for name, fn in rows.items()} for law, rows in hand_mutants().items()}
    print(f"{'law':28}{'killed: by hand':>16}{'mechanical':>14}")
    for law in subjects():
        ours = [sentence.startswith("law") for sentence in by_hand[law].values()]
        theirs = [bool(sentence) for mutant, sentence in outcomes if mutant.law == law]
        share = f"{100 * sum(theirs) / len(theirs):5.0f} %" if theirs else ""
        counts = f"{sum(theirs)} of {len(theirs)}" if theirs else "-"
        print(f"{law:28}{f'{sum(ours)} of {len(ours)}':>16}{counts:>14}{share}")
    survivors = [name for rows in by_hand.values() for name, sentence in rows.items() if not sentence.startswith("law")]
    for name in survivors:
        print(f"NOT KILLED by its law: {name}")
    total = sum(map(len, by_hand.values()))
    if not outcomes:
        print(NOT_RUN)
    explained, fine = _report(outcomes) if outcomes else (0, True)
    killed = total - len(survivors) + sum(bool(sentence) for _, sentence in outcomes)
    print(f"{killed} of {total + len(outcomes) - explained} killed")
    return int(bool(survivors) or not fine)


def _report(outcomes: list) -> tuple[int, bool]:
    """Print the mechanical survivors with their reasons; (how many are explained, whether all is well)."""
    survivors = [mutant for mutant, sentence in outcomes if not sentence]
    stale = set(SURVIVORS) - {mutant.key for mutant in survivors}
    for mutant in survivors:
        print(f"survivor of {mutant.law}: {mutant.key}\n    {SURVIVORS.get(mutant.key, 'NOT EXPLAINED')}")
    for key in sorted(stale):
        print(f"STALE: survivors.py explains a mutant that no longer survives: {key}")
    explained = sum(mutant.key in SURVIVORS for mutant in survivors)
    killed = len(outcomes) - len(survivors)
    by_law = sum(sentence.startswith("law") for _, sentence in outcomes)
    print(
        f"mechanical: {killed} of {len(outcomes)} killed ({100 * killed / len(outcomes):.1f} %), {explained} survivors "
        f"explained; {by_law} fell to a law's sentence, {killed - by_law} to an error of their own"
    )
    fine = explained == len(survivors) and not stale and killed >= LEAST_SHARE * len(outcomes)
    return explained, fine
