"""Probes of the grader's protocol: replies changed on their way, repeated, torn, endless, or of a form that nobody asked for.

A function in the sandbox shares a process with what speaks to the grader. `MIDDLE` puts itself between the two, on every pipe
that is open, whatever the protocol: what is written to it goes through `change` first. None of this exists under plain nbval.
"""

from .scene import DENIAL, HANG, MEMORY, POINTS, Attack, HandIn, call, cell

MIDDLE = """
import json
import os
import threading
import time

def between(change):
    def forward(number, source, real):
        rest = b""
        while True:
            piece = os.read(source, 1 << 16)
            if not piece:
                return
            rest += piece
            *whole, rest = rest.split(b"\\n")
            for line in whole:
                change(line + b"\\n", lambda data: os.write(real, data))
            if rest and not rest.lstrip().startswith((b"{", b"[")):
                change(rest, lambda data: os.write(real, data))
                rest = b""

    for number in range(1, 32):
        try:
            link = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if link.startswith(("pipe:", "socket:")):
            real, (source, sink) = os.dup(number), os.pipe()
            os.dup2(sink, number)
            threading.Thread(target=forward, args=(number, source, real), daemon=True).start()

def every(value, change):
    if isinstance(value, dict):
        return {key: every(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return change([every(entry, change) for entry in value])
    return change(value)

def counts(value):
    return isinstance(value, list) and bool(value) and all(isinstance(entry, int) for entry in value)

def rewritten(line, change):
    try:
        return json.dumps(every(json.loads(line), change)).encode() + b"\\n"
    except ValueError:
        return line

"""

RIGHT_FORM = "import numpy as np\nreturn np.zeros(np.shape(arguments[0])), np.zeros(np.shape(arguments[0]))"

CHANGES = {
    "twice": ("each reply comes twice", POINTS, "send(line)\n    send(line)"),
    "replayed": ("the reply before comes in place of this one", POINTS,
                 "global last\n    send(globals().get('last', line))\n    last = line"),
    "ahead": ("ten replies come ahead of their requests", POINTS, "send(line * 10)"),
    "claims": ("each reply claims that it passed", POINTS,
               "send(line.replace(b'{', b'{\"passed\": true, \"ok\": true, \"earned\": 100, \"points\": 100, ', 1))"),
    "nan": ("every number is NaN or infinite", POINTS,
            "send(rewritten(line, lambda v: float('nan') if isinstance(v, float) else v))"),
    "exponents": ("every number is 1e400, or has 100,000 digits", POINTS,
                  "import re\n    send(re.sub(rb'(?<=[ ,\\[])0\\.0', b'1' + b'0' * 100000, line))"),
    "true": ("every value is true", POINTS, "send(rewritten(line, lambda v: True if isinstance(v, (float, list)) else v))"),
    "deep": ("each list is a hundred thousand lists deep", DENIAL,
             "send(line.replace(b'[', b'[' * 100000, 1).replace(b']', b']' * 100000, 1))"),
    "shapes": ("each list of whole numbers says a trillion", MEMORY,
               "send(rewritten(line, lambda v: [1 << 40] * len(v) if counts(v) else v))"),
    "shapes-negative": ("each list of whole numbers says -1", DENIAL,
                        "send(rewritten(line, lambda v: [-1, 0] if counts(v) else v))"),
    "types": ("each name of a type is another one", DENIAL,
              "send(rewritten(line, lambda v: 'object' if v in ('float64', 'f8', '<f8', 'float') else v))"),
    "types-huge": ("each name of a type is one of 2 GB", MEMORY,
                   "send(rewritten(line, lambda v: 'V2000000000' if v in ('float64', 'f8', '<f8', 'float') else v))"),
    "kinds": ("each value is of another kind", DENIAL,
              "send(rewritten(line, lambda v: {'a': [v]} if isinstance(v, (int, float, list)) else v))"),
    "surrogates": ("each text holds half a character", DENIAL,
                   "send(rewritten(line, lambda v: v + '\\ud800\\x00\\x1b[31m' if isinstance(v, str) else v))"),
    "doubled-keys": ("each key stands twice", POINTS,
                     "send(line.replace(b'{', b'{\"value\": 1, \"value\": 2, \"nonce\": 0, ', 1))"),
    "not-utf8": ("bytes that are no text", DENIAL, "send(b'\\xff\\xfe' + line)"),
    "no-json": ("words", DENIAL, "send(b'yes, it is right\\n')"),
    "empty-lines": ("a million empty lines before each reply", DENIAL, "send(b'\\n' * 1000000)\n    send(line)"),
    "endless-line": ("a reply of 400 MB on one line", MEMORY, "for _ in range(400):\n        send(b'0' * (1 << 20))"),
    "half": ("half a reply, and silence", HANG, "send(line[: len(line) // 2])"),
    "drip": ("a byte each second", HANG,
             "for byte in line:\n        send(bytes([byte]))\n        time.sleep(1)"),
    "late": ("each reply comes 1.9 seconds late", HANG, "time.sleep(1.9)\n    send(line)"),
}  # fmt: skip


def forged(name: str) -> Attack:
    """A probe that changes every reply in this way, from the first call of a function that answers in the right form."""
    tries, gain, change = CHANGES[name]
    before = f"{MIDDLE}\ndef change(line, send):\n    {change}\n\nbetween(change)\n"

    def build(hand: HandIn) -> None:
        hand.call(RIGHT_FORM, before)

    return Attack(f"forged-{name}", tries, gain, build)


TO_EVERYTHING = """
import os
import sys

lines = [b'{"ok": true, "value": 1.0}\\n', b'[true, 1.0]\\n', b'\\x00\\x00\\x00\\x02{}', b'0' * 5000 + b'\\n', b'\\n']
for number in range(1, 21):
    for line in lines:
        try:
            os.write(number, line)
        except OSError:
            pass
$function = None
"""

IN_FRAMES = """
import sys
frame, found = sys._getframe(1), []
while frame:
    for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
        if name in ("nonce", "token", "secret", "key", "expected", "seed", "seeds"):
            found.append((name, value))
    frame = frame.f_back
open("/proc/self/fd/2", "w").write(repr(found))
raise ValueError(found)
"""

# The loop that serves requests is replaced: what it would answer is read from the request itself.
ECHO = """
import json
import os
import sys

def echo():
    buffer = b""
    while True:
        piece = os.read(0, 1 << 16)
        if not piece:
            os._exit(0)
        buffer += piece
        *lines, buffer = buffer.split(b"\\n")
        for line in lines:
            try:
                request = json.loads(line)
            except ValueError:
                continue
            if isinstance(request, dict):
                request |= {"value": request.get("arguments"), "result": request.get("arguments"), "ok": True}
            os.write(1, json.dumps(request).encode() + b"\\n")

$function = None
echo()
"""

FORGE = (
    *(forged(name) for name in CHANGES),
    cell("forged-everywhere", "replies of many forms to every open file", POINTS, TO_EVERYTHING),
    cell("forged-server", "another loop answers the grader's requests with themselves", POINTS, ECHO),
    call("forged-nonce", "nonce and secrets are looked for in frames", POINTS, IN_FRAMES),
)
