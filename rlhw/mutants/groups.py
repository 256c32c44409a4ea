"""Wrong variances of a group, wrong weights of a prompt, and dialogues that add errors up in other ways."""

import math

import numpy as np

from rlhw.groups import scaled_weight, tied_share, variance_parts

SUBJECTS = {
    "check_rloo_variance": "rlhw.groups:rloo_variance",
    "check_best_group_size": "rlhw.groups:best_group_size",
    "check_scaled_weight": "rlhw.groups:scaled_weight",
    "check_tied_share": "rlhw.groups:tied_share",
    "check_lost_shares": "rlhw.dialogue:lost_shares",
    "check_expected_lost": "rlhw.dialogue:expected_lost",
}


def _variance(combine):
    return lambda logits, rewards, k: combine(*variance_parts(logits, rewards), k)


RLOO_VARIANCE = {
    "as with the exact value": _variance(lambda own, others, k: own / k),
    "one answer's": _variance(lambda own, others, k: own + others / (k - 1)),
    "the others divided by K": _variance(lambda own, others, k: (own + others / k) / k),
    "the others do not fade": _variance(lambda own, others, k: (own + others) / k),
}

BEST_GROUP_SIZE = {
    "one forgotten": lambda others, between: math.sqrt(others / between),
    "upside down": lambda others, between: 1 + math.sqrt(between / others),
    "no root": lambda others, between: 1 + others / between,
}

SCALED_WEIGHT = {
    "the limit": lambda p, k: 1 / math.sqrt(p * (1 - p)),
    "deviation with K": lambda p, k: scaled_weight(p, k) * math.sqrt(k / (k - 1)),
    "times the slope of the logit": lambda p, k: scaled_weight(p, k) * p * (1 - p),
    "no scale": lambda p, k: (k - 1) / k,
    "tied groups left out": lambda p, k: scaled_weight(p, k) / (1 - tied_share(p, k)),
}

TIED_SHARE = {
    "all right only": lambda p, k: p**k,
    "all wrong only": lambda p, k: (1 - p) ** k,
    "not tied": lambda p, k: 1 - p**k - (1 - p) ** k,
}


def _shares(step):
    def shares(error, repair, turns):
        found, lost = [], 0.0
        for _ in range(turns):
            lost = step(lost, error, repair)
            found.append(lost)
        return np.array(found)

    return shares


LOST = {
    "never found again": _shares(lambda lost, e, q: (1 - lost) * e + lost),
    "the lost err, too": _shares(lambda lost, e, q: e + lost * (1 - q)),
    "repair for its failure": _shares(lambda lost, e, q: (1 - lost) * e + lost * q),
    "errors do not carry over": _shares(lambda lost, e, q: e),
}


def _at_its_end(error, repair, turns):
    return error / max(error + repair, 1e-300) * turns


EXPECTED_LOST = {
    "as if no turn hung on another": lambda error, repair, turns: error * turns,
    "settled from the start": _at_its_end,
    "small errors only": lambda error, repair, turns: error * turns * (turns + 1) / 2,
}

MUTANTS = {
    "check_rloo_variance": RLOO_VARIANCE,
    "check_best_group_size": BEST_GROUP_SIZE,
    "check_scaled_weight": SCALED_WEIGHT,
    "check_tied_share": TIED_SHARE,
    "check_lost_shares": LOST,
    "check_expected_lost": EXPECTED_LOST,
}
