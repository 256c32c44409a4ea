"""The command `rlhw`. Each verb imports what it needs when it runs, so `rlhw --help` answers at once."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

import rlhw


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the verb, return its exit code: 0 well, 1 something is wrong, 2 misuse."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # What follows `run` and `train` are settings that the pipeline's dataclasses name.
    rest = arguments[1:] if arguments[:1] in (["run"], ["train"]) else []
    parsed = _parser().parse_args(arguments[: len(arguments) - len(rest)])
    try:
        return parsed.run(parsed, rest) if parsed.run in (_run, _train) else parsed.run(parsed)
    except (ValueError, OSError, ModuleNotFoundError, FloatingPointError) as error:
        print(f"rlhw: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rlhw: stopped; what was finished is kept.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rlhw", description="Tools of the course on reinforcement learning from human feedback."
    )
    parser.add_argument("--version", action="version", version=f"rlhw {rlhw.__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    laws = verbs.add_parser(
        "laws", help="hold the library against its laws; --mutants also shows that the laws reject wrong code"
    )
    laws.add_argument("--mutants", action="store_true", help="run every mutant against its law")
    laws.set_defaults(run=_laws)

    exercises = verbs.add_parser("exercises", help="prove that each exercise's check rejects wrong answers")
    exercises.add_argument("action", choices=["prove", "list"])
    exercises.add_argument("names", nargs="*", metavar="NAME", help="questions to prove; all by default")
    exercises.set_defaults(run=_exercises)

    notebooks = verbs.add_parser(
        "notebooks", help="execute and verify the notebooks; write the repository's address into them"
    )
    actions = notebooks.add_subparsers(required=True, metavar="ACTION")
    for action, text in (
        ("execute", "run notebooks and store their outputs"),
        ("verify", "list what is wrong with notebooks"),
    ):
        command = actions.add_parser(action, help=text)
        command.add_argument("paths", nargs="*", metavar="NOTEBOOK", help="all notebooks of the course by default")
        command.set_defaults(run=_notebooks, action=action)
    address = actions.add_parser("set-repository", help="write the repository's address wherever it is needed")
    address.add_argument("url", metavar="URL", help="such as https://github.com/someone/rlhw")
    address.set_defaults(run=_notebooks, action="set-repository")

    run = verbs.add_parser(
        "run", add_help=False, help="the whole loop: clone, compare, reward model, PPO, GRPO, DPO, report"
    )
    run.set_defaults(run=_run)

    train = verbs.add_parser(
        "train", add_help=False, help="one training with a model and data of your own: bc, reward, ppo, dpo or grpo"
    )
    train.set_defaults(run=_train)

    _add_label(verbs)
    _add_homework(verbs)

    _add_grade(verbs)

    cards = verbs.add_parser("cards", help="list the result cards, or print one")
    cards.add_argument("name", nargs="?", metavar="NAME")
    cards.set_defaults(run=_cards)
    return parser


def _add_label(verbs: argparse._SubParsersAction) -> None:
    label = verbs.add_parser("label", help="pairs to Label Studio, and the labels that people gave there back from it")
    actions = label.add_subparsers(required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the config and the tasks of a Label Studio project")
    export.add_argument("pairs", metavar="PAIRS.jsonl", help="one pair a line: prompt, answer1, answer2")
    export.add_argument("--out", required=True, metavar="FOLDER", help="gets config.xml and tasks.json")
    export.add_argument("--ties", action="store_true", help="let annotators call it a tie")
    export.set_defaults(run=_label, action="export")
    back = actions.add_parser("import", help="read an export of Label Studio, and say what is in it")
    back.add_argument("export", metavar="EXPORT.json", help="the project, exported as JSON or JSON_MIN")
    back.add_argument("--out", required=True, metavar="LABELS.jsonl", help="gets one comparison a line")
    back.add_argument("--force", action="store_true", help="replace a file that is there")
    back.set_defaults(run=_label, action="import")


def _add_homework(verbs: argparse._SubParsersAction) -> None:
    homework = verbs.add_parser("homework", help="list the homework, build its notebooks, make Gradescope's autograder")
    actions = homework.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="the assignments, their points and minutes").set_defaults(
        run=_homework, action="list"
    )
    build = actions.add_parser("build", help="write notebooks/homework, or every version into a folder")
    build.add_argument("names", nargs="*", metavar="NAME", help="such as hw1; all by default")
    build.add_argument("--out", metavar="FOLDER", help="gets student/, solution/ and grader/")
    whose = build.add_mutually_exclusive_group()
    whose.add_argument("--variant", metavar="HEX", default="", help="the versions of this variant")
    whose.add_argument("--student", metavar="ID", help="the versions of this student; needs --secret")
    whose.add_argument("--students", metavar="ROSTER", help="students/ too, a notebook for each line; needs --secret")
    build.add_argument("--secret", metavar="FILE", help="the term's secret, which variants follow from")
    build.set_defaults(run=_homework, action="build")
    autograder = actions.add_parser("autograder", help="write the zip file that Gradescope wants")
    autograder.add_argument("name", metavar="NAME", help="such as hw2")
    autograder.add_argument("--out", metavar="FILE.zip", help="by default NAME_autograder.zip")
    autograder.add_argument("--secret", metavar="FILE", help="the term's secret, from which the hidden inputs follow")
    autograder.set_defaults(run=_homework, action="autograder")


def _add_grade(verbs: argparse._SubParsersAction) -> None:
    grade = verbs.add_parser("grade", help="grade a folder of submissions; their code runs in a sandbox only")
    grade.add_argument("--assignment", required=True, metavar="NAME", help="hw1 or hw2")
    grade.add_argument("--submissions", required=True, metavar="DIR", help="holds <student>.ipynb, .zip or folders")
    grade.add_argument("--out", required=True, metavar="OUT", help="gets grades, feedback and tables")
    grade.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="how many at a time; as many as there are cores"
    )
    grade.add_argument("--secret", metavar="FILE", help="this term's secret; one is made in OUT when left out")
    grade.add_argument("--variants", action="store_true", help="every student has the questions of their own variant")
    grade.add_argument("--manual", metavar="manual.csv", help="the points that people gave")
    grade.add_argument("--gradescope", action="store_true", help="also write results.json as Gradescope reads it")
    grade.add_argument("--disposable", action="store_true", help="a second user id will do as sandbox on this machine")
    grade.set_defaults(run=_grade)


def _laws(arguments: argparse.Namespace) -> int:
    # Set before torch is loaded, here and in the workers: on tensors this small more threads only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rlhw import mutants

    return mutants.main(arguments.mutants)


def _exercises(arguments: argparse.Namespace) -> int:
    # As for the laws: one thread in each of several processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rlhw import exercises

    if arguments.action == "list":
        print("\n".join(f"{name}: {exercises.question(name).title}" for name in exercises.names()))
        return 0
    return 0 if exercises.prove(arguments.names, jobs=os.cpu_count() or 1) else 1


def _notebooks(arguments: argparse.Namespace) -> int:
    from rlhw import notebooks

    if arguments.action == "set-repository":
        for path in notebooks.set_repository(arguments.url):
            print(f"wrote {path}")
        return 0
    run = notebooks.main_execute if arguments.action == "execute" else notebooks.main_verify
    return run(arguments.paths)


def _run(arguments: argparse.Namespace, settings: Sequence[str]) -> int:
    from rlhw.pipeline import command

    return command.main(settings)


def _train(arguments: argparse.Namespace, settings: Sequence[str]) -> int:
    from rlhw.pipeline import training

    return training.main(settings)


def _label(arguments: argparse.Namespace) -> int:
    from rlhw.labelling import command

    if arguments.action == "export":
        command.export_pairs(arguments.pairs, arguments.out, ties=arguments.ties)
    else:
        command.import_labels(arguments.export, arguments.out, force=arguments.force)
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from rlhw.grading import command

    return command.main(arguments)


def _homework(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from rlhw.homework import command

    if arguments.action == "autograder":
        from rlhw.grading import autograder

        return autograder.main(arguments.name, arguments.out, arguments.secret)
    if arguments.action == "list":
        lines = command.listing()
    elif arguments.out is None:
        if arguments.variant or arguments.student or arguments.students:
            raise ValueError("a variant is nobody else's: say with --out which folder it goes to.")
        lines = command.write_course(arguments.names)
    else:
        variant_of = _variants(arguments)
        variant = variant_of(arguments.student) if arguments.student else arguments.variant
        lines = command.write_versions(arguments.names, Path(arguments.out), variant)
        if arguments.students:
            students = command.roster(Path(arguments.students))
            lines += command.write_students(arguments.names, Path(arguments.out), students, variant_of)
    print("\n".join(lines))
    return 0


def _variants(arguments: argparse.Namespace) -> Callable[[str], str]:
    """Each student's variant, by the secret; one that is asked for without a secret is misuse."""
    from rlhw.grading import inputs

    if arguments.secret:
        secret = inputs.read_secret(arguments.secret)
        return lambda student: inputs.variant(secret, student)
    if arguments.student or arguments.students:
        raise ValueError("--student and --students need --secret: variants follow from it.")
    return lambda student: ""


def _cards(arguments: argparse.Namespace) -> int:
    from rlhw import cards

    if arguments.name is None:
        for name in cards.names():
            note = " (measured on an older version)" if cards.stale(name) else ""
            print(f"{name}: {cards.read(name)['title']}{note}")
        return 0
    print(cards.table(arguments.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
