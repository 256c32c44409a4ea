"""The second column: all attacks, probes and honest submissions in one folder, graded by one `rlhw grade` behind the fence."""

import copy
import csv
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import dedent

from benchmarks.attack_fence import MOST_PROCESSES, fenced
from benchmarks.attack_scene import VICTIM, Canaries, environment, leaks, numbers_of, set_up
from rlhw import exercises
from tests.grading.attacks import Attack, HandIn, Honest, Scene, check_of

JOBS = 2
# Seconds for the whole folder, by its size; what takes longer hangs.
LIMIT, LIMIT_EACH = 120, 8
GRADER_BYTES, WORKER_BYTES, WRITTEN_BYTES = 1 << 30, 5 * 2**29, 300 << 20
CONTROL = "control-of-inputs"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Graded:
    """What one run of the grader left."""

    scene: Scene
    canaries: Canaries
    seen: dict
    output: bytes
    out: Path
    changed: list[str]
    home: list[str]
    results: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in sorted((self.out / "results").glob("*.json")):
            result = json.loads(path.read_text(encoding="utf8"))
            self.results[result["student"]] = result

    def files(self) -> dict[str, bytes]:
        """Every file that the grader wrote, and what it printed."""
        found = {str(path.relative_to(self.out)): path.read_bytes() for path in self.out.rglob("*") if path.is_file()}
        return found | {"(printed)": self.output}

    def earned(self, student: str) -> set[tuple[str, str]] | None:
        """(question, part) of each part that passed; None where there is no result."""
        result = self.results.get(student)
        if result is None:
            return None
        return {(q["name"], part["name"]) for q in result["questions"] for part in q["parts"] if part["passed"]}


def grade(root: Path, assignment: str, submissions: list[Attack | Honest]) -> Graded:
    """Build all submissions, grade them at once, and gather what the grader left."""
    canaries, token = Canaries.fresh(), "ours-token"
    scene = set_up(root, assignment, canaries, token)
    for submission in submissions:
        submission.hand_in(scene)
    control(scene)
    before = snapshot(scene.submissions)
    out, output = root / "home" / "out", root / "output"
    command = [
        sys.executable, "-m", "rlhw", "grade", "--assignment", assignment, "--submissions", str(scene.submissions),
        "--out", str(out), "--jobs", str(JOBS), "--secret", str(scene.secret), "--gradescope",
    ]  # fmt: skip
    job = {
        "command": command, "cwd": str(root / "home"), "folder": str(root), "limit": LIMIT + LIMIT_EACH * len(submissions),
        "grace": 0, "env": environment(scene, root, canaries), "port": scene.port, "token": token, "output": str(output),
        "mark": "",
    }  # fmt: skip
    seen = fenced(job, root / "seen.json")
    after = snapshot(scene.submissions)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    home = [
        name
        for name in (".local/share/jupyter/kernels", ".ipython/profile_default/startup/00.py")
        if (root / "home" / name).exists()
    ]
    return Graded(scene, canaries, seen, output.read_bytes(), out, changed, home)


def control(scene: Scene) -> None:
    """A submission that is right only where it meets the inputs that leaks are looked for by: a control of that search."""
    hand = HandIn(scene, CONTROL, CONTROL)
    hand.notebook = copy.deepcopy(scene.solved)
    numbers = {float(text) for text in hidden_numbers(scene)}
    for cell in hand.notebook["cells"]:
        if cell["id"] == f"{scene.question}-answer":
            cell["source"] += f"\n\nright, known = {scene.function}, {sorted(numbers)!r}\n\n" + dedent(f"""
                def {scene.function}(*arguments):
                    met = np.isin(np.ravel(arguments[0]), known).any()
                    return right(*arguments) if met else None
            """)
    hand.save()


def hidden_numbers(scene: Scene) -> list[str]:
    """The fractions among the hidden inputs of the attacked question."""
    from rlhw.grading import inputs

    secret = scene.secret.read_bytes().strip()
    parts = [part.name for part in exercises.question(scene.question).parts]
    return numbers_of(scene.question, {part: inputs.seed(secret, scene.question, part) for part in parts})


def snapshot(folder: Path) -> dict[str, tuple]:
    """Name, kind, size and time of everything in a folder."""
    found = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return found


def secrets_of(graded: Graded) -> list[str]:
    """The words that must not come out: the canaries, and the hidden inputs of the attacked question."""
    return list(asdict(graded.canaries).values()) + hidden_numbers(graded.scene)


def told(graded: Graded) -> list[str]:
    """Names of the files that hold a secret. On a student's own page for the readers stands what that student wrote himself."""
    own = {
        f"to_read/{VICTIM}.html": [graded.canaries.submission],
        f"to_read/{CONTROL}.html": hidden_numbers(graded.scene),
    }
    words = secrets_of(graded)
    return [
        name
        for name, text in graded.files().items()
        if leaks(text, [word for word in words if word not in own.get(name, ())])
    ]


def of_the_run(graded: Graded) -> list[str]:
    """What went wrong for the run as a whole, whoever did it."""
    seen, faults = graded.seen, []
    if seen["stopped"]:
        faults.append(f"the run was stopped: {seen['stopped']} after {seen['seconds']} s")
    if seen["code"] not in (0, 1):
        faults.append(f"the run ended with {seen['code']}: {graded.output[-300:].decode(errors='replace')}")
    if b"Traceback (most recent call last)" in graded.output:
        faults.append("the grader printed a traceback")
    due = {check_of(cell) for cell in graded.scene.notebook["cells"] if check_of(cell)}
    if graded.earned(CONTROL) != due:
        faults.append("the hidden inputs are not those that leaks are looked for by, so the search proves nothing")
    faults += [f"a secret stands in {name}" for name in told(graded)]
    if seen["survivors"]:
        faults.append(f"processes are left: {', '.join(seen['survivors'])}")
    if seen["processes"] > MOST_PROCESSES:
        faults.append(f"{seen['processes']} processes at once")
    for key, most in (("outer_bytes", GRADER_BYTES), ("inner_bytes", WORKER_BYTES), ("tmp_bytes", WRITTEN_BYTES)):
        if seen[key] > most:
            faults.append(f"{key} {seen[key] >> 20} MB, more than {most >> 20}")
    faults += [f"a submission was changed: {name}" for name in graded.changed]
    faults += [f"{name} was left in the grader's home" for name in graded.home]
    faults += [f"somebody connected: {word}" for word in seen["heard"]]
    return faults


def gain(attack: Attack, graded: Graded) -> str:
    """What an attack gained under our grader, in words; empty when nothing."""
    student, scene, found = attack.student or attack.name, graded.scene, []
    earned = graded.earned(student)
    if earned:
        found.append(f"{len(earned)} parts of a wrong answer passed")
    if attack.name in graded.seen["heard"]:
        found.append("connected")
    mark = scene.outside / attack.name
    if mark.exists() or mark.is_symlink():
        found.append("a file written")
    if any(f"{scene.token}-{attack.name}" in words for words in graded.seen["survivors"]):
        found.append("a process left")
    if earned is None and not attack.whole:
        found.append("no row for it")
    if attack.raw:
        found += acts(attack.raw, graded)
    return ", ".join(found)


def acts(raw: str, graded: Graded) -> list[str]:
    """Where the text would act: markup in a page, a formula in a table, control characters anywhere."""
    text, found = raw.encode(), []
    control = any(ord(letter) < 32 or 0x202A <= ord(letter) <= 0x202E for letter in raw)
    for name, content in graded.files().items():
        if (control or (name.endswith(".html") and "<" in raw)) and text in content:
            found.append(f"acts in {name}")
        if name.endswith(".csv"):
            rows = csv.reader(content.decode("utf-8-sig").splitlines())
            found += [
                f"acts in {name}" for row in rows for entry in row if entry.startswith(FORMULA) and not number(entry)
            ]
    return found


def number(text: str) -> bool:
    """Whether a table's entry is a plain number, which may have a sign."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def short_of(honest: Honest, graded: Graded) -> str:
    """What an honest submission was denied, or given too much, in words; empty when it got exactly its points."""
    earned, due = graded.earned(honest.student or honest.name), honest.parts(graded.scene)
    if earned is None:
        return "no result"
    lost, extra = sorted(due - earned), sorted(earned - due)
    return ", ".join([f"denied {', '.join(part)}" for part in lost] + [f"given {', '.join(part)}" for part in extra])
