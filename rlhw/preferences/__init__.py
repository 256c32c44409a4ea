"""Human preferences: comparisons of two answers to a prompt, where they come from, and what they are worth.

    comparison     Comparison, Import; last_labels, split_by_prompt, require_two_sided
    votes          prompt_wins, pair_wins: for the trainers
    pairs          check_pairs, read_pairs, write_pairs: what waits to be compared
    files          read_jsonl, append_jsonl, write_jsonl; read_export
    label_file     take_back, set_torn_aside: for whoever writes while somebody labels
    recorded       recorded_export: a Label Studio export that comes with the package
    label_studio   to_label_studio, from_label_studio
    formats        to_trl, from_trl
    hub            from_hub
    annotators     agreement, label_table, raw_agreement, cohen_kappa, fleiss_kappa; length_bias, position_bias; labelling_time
    ratings        elo, expected_score, player_wins, bradley_terry_ratings, ELO_PER_NAT

Everything that comes from outside is checked: what is not a comparison is left out and counted by reason, or refused.
"""

from rlhw.preferences.annotators import (
    Agreement,
    LabellingTime,
    Share,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    label_table,
    labelling_time,
    length_bias,
    position_bias,
    raw_agreement,
)
from rlhw.preferences.comparison import (
    Choice,
    Comparison,
    Import,
    last_labels,
    require_two_sided,
    split_by_prompt,
)
from rlhw.preferences.files import append_jsonl, read_export, read_jsonl, write_jsonl
from rlhw.preferences.formats import from_trl, to_trl
from rlhw.preferences.hub import from_hub
from rlhw.preferences.label_file import set_torn_aside, take_back
from rlhw.preferences.label_studio import from_label_studio, to_label_studio
from rlhw.preferences.pairs import Pair, check_pairs, read_pairs, write_pairs
from rlhw.preferences.ratings import ELO_PER_NAT, bradley_terry_ratings, elo, expected_score, player_wins
from rlhw.preferences.recorded import recorded_export
from rlhw.preferences.votes import pair_wins, prompt_wins

__all__ = [
    "ELO_PER_NAT",
    "Agreement",
    "Choice",
    "Comparison",
    "Import",
    "LabellingTime",
    "Pair",
    "Share",
    "agreement",
    "append_jsonl",
    "bradley_terry_ratings",
    "check_pairs",
    "cohen_kappa",
    "elo",
    "expected_score",
    "fleiss_kappa",
    "from_hub",
    "from_label_studio",
    "from_trl",
    "label_table",
    "labelling_time",
    "last_labels",
    "length_bias",
    "pair_wins",
    "player_wins",
    "position_bias",
    "prompt_wins",
    "raw_agreement",
    "read_export",
    "read_jsonl",
    "read_pairs",
    "recorded_export",
    "require_two_sided",
    "set_torn_aside",
    "split_by_prompt",
    "take_back",
    "to_label_studio",
    "to_trl",
    "write_jsonl",
    "write_pairs",
]
