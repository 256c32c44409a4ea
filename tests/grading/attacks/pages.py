"""Attacks on whoever reads: markup, formulas, control characters, in names, prose and output."""

from .scene import RAW, Attack, HandIn

SCRIPT = "<script>document.title='graded'</script>"
IMAGE = "<img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http:x","grade")'
RED, BIDI = "\x1b]0;graded\x07\x1b[31m", "\u202e72/72\u202c"


def prose(hand: HandIn) -> None:
    hand.call("return 0.0")
    for cell in hand.notebook["cells"]:
        if written := cell["metadata"].get("rlhw", {}).get("written"):
            cell["source"] = (
                f"<!-- answer: {written} -->\nMy answer.\n\n{SCRIPT}\n\n{IMAGE}\n\n</textarea></pre>{SCRIPT}"
            )


def named(hand: HandIn) -> None:
    hand.call("return 0.0")


def printed(hand: HandIn) -> None:
    hand.answer(f"print({RED!r}, {BIDI!r})\nraise ValueError({RED!r} + {BIDI!r})")


def returned(hand: HandIn) -> None:
    hand.call(f"print({BIDI!r})\nraise type({SCRIPT!r}, (Exception,), {{}})({BIDI!r})")


PAGES = (
    Attack("html-in-prose", "a script in a written answer", RAW, prose, raw=SCRIPT),
    Attack("html-in-name", "markup as the student's name", RAW, named, student=IMAGE, raw=IMAGE),
    Attack("csv-formula", "a formula as the student's name", RAW, named, student=FORMULA.replace("/", ""), raw=FORMULA),
    Attack("csv-command", "a command as the student's name", RAW, named, student="@SUM(1+1)*cmd|' C'!A0", raw="@SUM(1+1)"),
    Attack("csv-plus", "a number that is a sum as the student's name", RAW, named, student="+72+cmd|' C'!A0", raw="+72+cmd"),
    Attack("ansi-printed", "control characters of a terminal in the output", RAW, printed, raw=RED),
    Attack("ansi-in-name", "control characters of a terminal in the student's name", RAW, named, student=f"ann{RED}", raw=RED),
    Attack("bidi-in-exception", "characters that turn the line round, in an exception", RAW, returned, raw=BIDI),
    Attack("bidi-in-name", "characters that turn the line round, in the student's name", RAW, named,
           student=f"bob{BIDI.replace('/', '-')}", raw="\u202e72-72"),
)  # fmt: skip
