"""The frame of the project: commands, workflows, pins, licences, versions, and what no file may hold."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import rlhw

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("book", "test", "test-slow", "lint", "notebooks", "serve", "bench", "clean", "help")
# The words are put together from parts, so that this file passes its own search.
FOLDERS = "|".join(["work", "root", "home", "Users", "opt/pypi", "opt/wheels"])
ORIGINS = "|".join(["generated " + r"(?:by|with) (?:an? )?(?:AI|LLM)\b", "AI" + "-generated", "Co-Authored" + "-By"])
FORBIDDEN = {
    "a path of one machine": re.compile(rf"(?<![\w.:/~-])/(?:{FOLDERS})/\w|/tmp/bash_" + "jobs"),
    "a word on how the text came about": re.compile(ORIGINS, re.I),
    "a number of the internal plan": re.compile(r"\biss" + r"ue #?\d"),
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """The files of the project: git's list where there is git, otherwise the folder without what is built into it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    built = {".venv", ".git", "_build", "node_modules", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not built & set(path.relative_to(ROOT).parts)]


def pins() -> dict[str, Requirement]:
    """The lines of requirements.txt by canonical name."""
    lines = [line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def pinned_version(requirement: Requirement) -> Version:
    """The one version that a line allows; AssertionError when it allows more than one or a local build."""
    (specifier,) = requirement.specifier
    exact = specifier.operator == "==" and "*" not in specifier.version
    assert exact, f"{requirement} is not pinned to one version"
    version = Version(specifier.version)
    assert version.local is None, f"{requirement} names a local build, which PyPI does not have"
    return version


def runs(workflow: dict) -> list[str]:
    """Every command of a workflow."""
    return [step["run"] for job in workflow["jobs"].values() for step in job.get("steps", []) if "run" in step]


def make_target(command: str) -> str | None:
    """The target when the command is `make TARGET` and nothing else."""
    found = re.fullmatch(r"make ([a-z-]+)", command.strip())
    return found[1] if found else None


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.M))


def test_makefile_has_the_promised_targets():
    assert set(TARGETS) <= makefile_targets()


def test_make_alone_prints_the_targets():
    printed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target}" in printed for target in TARGETS)


@pytest.mark.parametrize("name", ["test.yml", "publish.yml"])
def test_workflows_run_make_targets_and_nothing_else(name):
    workflow = yaml.safe_load(read(f".github/workflows/{name}"))
    commands = runs(workflow)
    assert commands, f"{name} runs nothing"
    for command in commands:
        assert make_target(command) in makefile_targets(), f"{name} runs {command!r}, which is not `make TARGET`"
    assert workflow["permissions"] == {"contents": "read"}, f"{name} asks for more than reading by default"


def test_another_command_in_a_workflow_is_noticed():
    for command in ("pip install rlhw", "make book && curl example.org", "make test\npytest"):
        assert make_target(command) is None


def test_the_tests_run_before_the_book_is_published():
    jobs = yaml.safe_load(read(".github/workflows/publish.yml"))["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test"
    assert jobs["deploy"]["needs"] == "build"
    assert jobs["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}


def test_ci_runs_the_two_commands_of_the_readme_and_the_slow_tests():
    script = read(".ci/run")
    assert re.findall(r"^make (.+)$", script, re.M) == ["system", "book", "test", "test-slow"]
    assert "set -euo pipefail" in script
    assert "export CI=true" in script
    assert (ROOT / ".ci/run").stat().st_mode & 0o111, ".ci/run is not executable: chmod +x .ci/run"


def test_requirements_are_pinned_and_sorted():
    lines = pins()
    for requirement in lines.values():
        pinned_version(requirement)
    written = [str(requirement).upper() for requirement in lines.values()]
    assert written == sorted(written)
    assert "rlhw" not in lines
    assert pinned_version(lines["torch"]) == Version("2.13.0")


def test_a_loose_or_local_pin_is_noticed():
    for line in ("numpy>=2", "numpy==2.*", "torch==2.13.0+cpu"):
        with pytest.raises(AssertionError):
            pinned_version(Requirement(line))


def test_requirements_lie_within_the_ranges_of_pyproject():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    lines = pins()
    for requirement in map(Requirement, project["dependencies"] + extras):
        if requirement.name == "rlhw":
            continue
        name = canonicalize_name(requirement.name)
        assert name in lines, f"{name} is missing from requirements.txt: run make requirements"
        assert pinned_version(lines[name]) in requirement.specifier, f"{lines[name]} is outside {requirement}"


def test_what_is_installed_is_what_is_pinned():
    for name, requirement in pins().items():
        installed = Version(importlib.metadata.version(name)).public
        assert Version(installed) == pinned_version(requirement), f"{name} {installed} is installed: run make book"


def test_installed_packages_fit_together():
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_versions_agree():
    version = rlhw.__version__
    assert importlib.metadata.version("rlhw") == version, "rlhw is installed with another version: run make book"
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    headings = re.findall(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), re.M)
    assert headings[0] == "Unreleased"
    assert headings[1] == version
    assert tomllib.loads(read("pyproject.toml"))["project"]["dynamic"] == ["version"]


def test_the_author_is_the_same_everywhere():
    author = "The rlhw authors"
    assert tomllib.loads(read("pyproject.toml"))["project"]["authors"] == [{"name": author}]
    assert yaml.safe_load(read("CITATION.cff"))["authors"] == [{"name": author}]
    assert yaml.safe_load(read("_config.yml"))["author"] == author
    assert author in read("LICENSE")
    assert author in read("NOTICE")


def test_licences_say_which_is_which():
    text = read("LICENSE")
    assert "MIT License" in text
    assert "Permission is hereby granted, free of charge" in text
    assert "CC BY 4.0" in text
    assert "https://creativecommons.org/licenses/by/4.0/" in text
    assert read("LICENSE-CC-BY-4.0").startswith("Creative Commons Attribution 4.0 International")


def test_everything_vendored_is_in_the_notice_with_its_licence():
    folders = [path for path in (ROOT / "book/_assets/vendor").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        place = folder.relative_to(ROOT).as_posix()
        assert place in read("NOTICE"), f"NOTICE does not name {place}"
        assert len((folder / "LICENSE").read_text(encoding="utf-8")) > 1000, f"{place}/LICENSE is not the full text"


def breaches(text: str, paths_allowed: bool = False) -> list[str]:
    """What a file may not hold and this text holds."""
    searched = {what: pattern for what, pattern in FORBIDDEN.items() if not (paths_allowed and "path" in what)}
    return [f"{what}: {found[0]!r}" for what, pattern in searched.items() if (found := pattern.search(text))]


def test_no_file_holds_what_none_may_hold():
    own = {path: path.read_bytes() for path in tracked() if "vendor" not in path.parts}
    texts = {path.relative_to(ROOT).as_posix(): data.decode("utf-8") for path, data in own.items() if b"\0" not in data}
    assert {"Makefile", "README.md", "rlhw/__init__.py"} <= texts.keys()
    # Tests hold such paths as samples of what they refuse.
    assert not {name: found for name, text in texts.items() if (found := breaches(text, name.startswith("tests/")))}


def test_the_search_finds_what_it_looks_for():
    samples = ("see /" + "home/ada/rlhw", "made in '/" + "work/main'", "AI" + "-generated text", "as iss" + "ue 7 says")
    assert all(breaches(sample) for sample in samples)
    harmless = ("https://example.org/" + "home/x", "an agent acts", "OpenAI, 2022", "_build/html", "an issue is open")
    assert not any(breaches(sample) for sample in harmless)
