"""Who imports whom: the library stays light, and its arrows stay those of the plan."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rlhw"
HEAVY = ("torch", "transformers", "matplotlib", "ipywidgets")

# What each module may import of rlhw; a module that is not listed may import nothing. "*" may import everything.
ARROWS = {
    "rlhw": {"session", "exercises"},
    "bandits": {"policy_gradient"},
    "worlds": {"mdp"},
    "dynamic_programming": {"mdp"},
    "temporal_difference": {"mdp"},
    "prediction_moments": {"mdp"},
    "batch_prediction": {"mdp", "temporal_difference"},
    "exploration": {"mdp"},
    "control": {"mdp", "exploration"},
    "off_policy": {"mdp", "exploration"},
    "exact_episodes": {"mdp", "off_policy"},
    "function_approximation": {"mdp", "dynamic_programming"},
    "linear_learning": {"mdp"},
    "actor_critic": {"mdp", "dynamic_programming"},
    "trust_region": {"mdp", "dynamic_programming", "actor_critic"},
    "logprobs": {"batches"},
    "language_model": {"batches", "logprobs", "saving"},
    "tabular_lm": {"batches", "logprobs"},
    "captured": {"decoding_step"},
    "rollouts": {"batches", "logprobs", "language_model"},
    "pair_sampling": {"batches", "language_model"},
    "training": {"batches"},
    "behavior_cloning": {"batches", "logprobs", "training"},
    "weighted_update": {"batches", "logprobs", "training"},
    "reward_model": {"batches", "logprobs", "training", "calibration", "saving"},
    "checkpoint": {"same_model", "saving"},
    "dpo": {"batches", "logprobs", "training", "calibration"},
    "ppo": {"batches", "logprobs", "rollouts", "training"},
    "ppo_details": {"batches", "ppo", "reward_model", "training"},
    "groups": {"policy_gradient"},
    "grpo": {"batches", "logprobs", "rollouts", "ppo", "training"},
    "exercises": {"laws", "policy_gradient", "bandits", "preferences"},
    # own_run sends a student's labels through the whole pipeline.
    "homework": {
        *("rlhw", "exercises", "repository", "preferences", "evaluation"),
        *("batches", "language_model", "pipeline", "reward_model"),
    },
    "grading": {"rlhw", "laws", "exercises", "homework", "repository"},
    "mutants": {
        "laws",
        "policy_gradient",
        "bandits",
        "groups",
        "symbolic",
        "batches",
        "mdp",
        "worlds",
        "exploration",
        "off_policy",
        "scaling",
    },
    "session": {"rlhw", "plots", "exercises", "homework", "pipeline"},
    "repository": {"rlhw"},
    "notebook_rules": {"repository", "exercises", "homework"},
    "nbval_plugin": {"homework"},
    "notebooks": {"repository", "notebook_rules"},
    "cards": {"rlhw"},
    "clinic": {
        *(
            "batches",
            "behavior_cloning",
            "dpo",
            "grpo",
            "language_model",
            "laws",
            "logprobs",
            "plots",
            "ppo",
            "reward_model",
        ),
        *("rollouts", "tabular_lm", "training"),
    },
    "pipeline": {"*"},
    "labelling": {"preferences", "widgets"},
    "cli": {"*"},
    "__main__": {"cli"},
    "widgets": set(),
    "laws": set(),
}
# These may load something heavy when they are imported; every other module may not.
TORCH_MODULES = {
    *("batches", "logprobs", "language_model", "tabular_lm", "rollouts", "behavior_cloning", "reward_model"),
    *("ppo", "dpo", "grpo", "checkpoint", "pipeline", "training", "calibration", "saving", "same_model"),
    *("pair_sampling", "weighted_update", "ppo_details", "clinic", "captured", "decoding_step"),
}
HEAVY_MODULES = TORCH_MODULES | {"plots"}


def subject(path: Path, package: Path) -> str:
    """The first name below rlhw: a module, or a folder with all that is in it."""
    return path.relative_to(package).parts[0].removesuffix(".py").replace("__init__", "rlhw")


def imported(path: Path, subjects: set[str]) -> set[str]:
    """The subjects of rlhw that a file imports, wherever the import stands in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} line {node.lineno}: a relative import; write `from rlhw...`"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "rlhw":
                first = rest.split(".")[0]
                found.add(first if first in subjects else "rlhw")
    return found


def arrows(package: Path) -> dict[str, set[str]]:
    """subject -> the subjects it imports, itself left out."""
    files = sorted(package.rglob("*.py"))
    subjects = {subject(path, package) for path in files}
    found = {name: set() for name in subjects}
    for path in files:
        own = subject(path, package)
        found[own] |= imported(path, subjects) - {own}
    return found


def forbidden(found: dict[str, set[str]]) -> list[str]:
    """The arrows that the plan does not hold."""
    allowed = {name: set(found) if "*" in ARROWS.get(name, set()) else ARROWS.get(name, set()) for name in found}
    return [f"{name} -> {other}" for name in sorted(found) for other in sorted(found[name] - allowed[name])]


def cycle(found: dict[str, set[str]]) -> list[str]:
    """One closed path of arrows, or an empty list. The package itself loads nothing when it is imported."""
    below: dict[str, bool] = {}

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if below.get(name):
            return []
        for other in sorted(found.get(name, set()) - {"rlhw"}):
            if closed := walk(other, [*path, name]):
                return closed
        below[name] = True
        return []

    for name in sorted(found):
        if closed := walk(name, []):
            return closed
    return []


def loaded(module: str, *path: str) -> set[str]:
    """Which heavy packages a fresh interpreter holds after importing a module."""
    program = f"import json, sys; sys.path[:0] = {list(path)}; import {module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(HEAVY) & set(json.loads(done.stdout.splitlines()[-1]))


def test_arrows_are_those_of_the_plan():
    assert forbidden(arrows(PACKAGE)) == []


def test_there_is_no_cycle():
    assert cycle(arrows(PACKAGE)) == []


def test_a_forbidden_arrow_a_cycle_and_a_hidden_import_are_found(tmp_path):
    """The control: a small package with each of the three faults."""
    package = tmp_path / "rlhw"
    (package / "widgets").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "laws.py").write_text("def check():\n    import rlhw.bandits as b\n    return b\n", encoding="utf8")
    (package / "bandits.py").write_text("from rlhw import laws, __version__\n", encoding="utf8")
    (package / "widgets" / "one.py").write_text("from rlhw.policy_gradient import softmax\n", encoding="utf8")
    (package / "policy_gradient.py").touch()
    found = arrows(package)
    expected = ["bandits -> laws", "bandits -> rlhw", "laws -> bandits", "widgets -> policy_gradient"]
    assert forbidden(found) == expected
    assert cycle(found) == ["bandits", "laws", "bandits"]
    (package / "bandits.py").write_text("from . import laws\n", encoding="utf8")
    with pytest.raises(AssertionError, match="a relative import"):
        arrows(package)


LIGHT = sorted(set(arrows(PACKAGE)) - HEAVY_MODULES - {"rlhw"})


@pytest.mark.parametrize("name", ["rlhw", *(f"rlhw.{name}" for name in LIGHT)])
def test_a_light_module_leaves_the_heavy_ones_alone(name):
    assert loaded(name) == set()


def test_a_heavy_import_is_found(tmp_path):
    (tmp_path / "heavy_module.py").write_text("def f():\n    import matplotlib\nf()\n", encoding="utf8")
    assert loaded("heavy_module", str(tmp_path)) == {"matplotlib"}


def test_setup_leaves_torch_alone():
    program = "import sys, rlhw; rlhw.setup(); assert 'torch' not in sys.modules"
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "RLHW_SCALE": "tiny"}
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=hidden)


def test_the_package_has_three_functions_and_no_other_name():
    program = "import rlhw; print(sorted(name for name in vars(rlhw) if not name.startswith('_')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['check', 'check_notebook', 'setup']"
