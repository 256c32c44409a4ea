"""The process that runs a student's code. Nothing it says is believed: `remote` and `values` are the side that judges.

A program of its own, started by `sandbox` as `python -I -S worker.py PACKAGES REPLY_BYTES`. It imports the standard library
and numpy, and nothing of ours: the reference solutions are not to be found here. A student's code can do as it likes in this
process, change json, print or numpy included; all it can change are the replies about its own answers.

Requests and replies are lines of JSON, values as `rlhw.grading.values` describes them. A request has a nonce and a kind:

    hello  torch                          the worker is there; with torch imported, if so asked
    cell   question, source               run an answer cell in the one namespace that all cells share
    get    question, name                 what the name was bound to when that cell had run
    call   question, name, arguments      call it

A reply repeats the nonce and says what came of it: done, function, missing, value (then with the value), error, not_plain or
too_large. The text of an error stays here: an exception can quote the hidden inputs.
"""

import ctypes
import itertools
import json
import numbers
import os
import platform
import re
import struct
import sys

# What an answer never needs from the kernel: sockets; memory that no limit counts (System V, memfd); namespaces and mounts;
# other processes' memory; and parts that are often the way out (bpf, io_uring, userfaultfd, keys). Machine -> (its number in
# the filter, clone, refused calls: socket, shmget, semget, msgget, mq_open, mount, unshare, setns, ptrace, process_vm_readv,
# process_vm_writev, add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd, memfd_create, memfd_secret, io_uring_setup).
CALLS = {
    "x86_64": (
        0xC000003E,
        56,
        (41, 29, 64, 68, 240, 165, 272, 308, 101, 310, 311, 248, 249, 250, 321, 298, 323, 319, 447, 425),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        (198, 194, 190, 186, 180, 40, 97, 268, 117, 270, 271, 217, 218, 219, 280, 241, 282, 279, 447, 425),
    ),
}
CLONE3 = 435
NEW_NAMESPACES = 0x7E020000
REPLY_BYTES = 1_000_000
DEPTH = 30
# %time f(), !pip install, ?f and f?, on a line of their own.
IPYTHON_LINE = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?\??)$", re.MULTILINE)


def refuse_calls():
    """Have the kernel refuse the calls above, in this process and all that come of it. No way leads back.

    The filter is a program for the kernel's packet filter: load a word of the call, jump, return what is to happen.
    """
    machine, clone, refused = CALLS[platform.machine()]
    load, equal, above, some, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, not_permitted, no_such_call = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026
    # Calls in another machine's numbering (32 bits, or x32 from 0x40000000 on) would pass by the list.
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (give, 0, 0, kill), (load, 0, 0, 0)]
    steps += [(above, 0, 1, 0x40000000), (give, 0, 0, kill)]
    for call in refused:
        steps += [(equal, 0, 1, call), (give, 0, 0, not_permitted)]
    # clone3 hides its flags behind a pointer; told that there is none, the C library takes clone.
    steps += [(equal, 0, 1, CLONE3), (give, 0, 0, no_such_call)]
    steps += [(equal, 0, 3, clone), (load, 0, 0, 16), (some, 0, 1, NEW_NAMESPACES), (give, 0, 0, not_permitted)]
    steps += [(give, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    control, no_new_privileges, set_filter, filter_mode = ctypes.CDLL(None).prctl, 38, 22, 2
    if control(no_new_privileges, 1, 0, 0, 0) != 0 or control(set_filter, filter_mode, program, 0, 0) != 0:
        raise OSError("the kernel takes no filter of system calls")


def die_first():
    """When memory runs out, this process goes before any other of the machine."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


class NotPlain(Exception):
    """A value that has no form on the wire."""


class TooLarge(Exception):
    """A value that is too long for the wire."""


class Nothing:
    """Stands for `rlhw` in the answer cells: a forgotten `rlhw.check(...)` there does nothing, and no answer is in it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments, **named):
        return None


def plain(value, depth=0):
    """The JSON form of what a student's code returned. NotPlain and TooLarge say why there is none."""
    if depth > DEPTH:
        raise NotPlain
    if value is None or value is ...:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, numbers.Integral):
        number = int(value)
        if -(2**63) <= number < 2**63:
            return number
        raise NotPlain
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [plain(item, depth + 1) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key, depth + 1), plain(item, depth + 1)] for key, item in value.items()]}
    if isinstance(value, numbers.Real):
        return float(value)
    if hasattr(value, "__next__"):
        # A generator, zip or map: at home it is gone through where a list would be.
        items = list(itertools.islice(value, REPLY_BYTES + 1))
        if len(items) > REPLY_BYTES:
            raise TooLarge
        return plain(items, depth)
    return {"array": array(value)}


def array(value):
    """dtype, shape and flat data of an array, or of what turns into one: a tensor, a range, a decimal number."""
    torch = sys.modules.get("torch")
    found = np.asarray(value.detach() if torch and isinstance(value, torch.Tensor) else value)
    if found.size > REPLY_BYTES:
        raise TooLarge
    if found.dtype == object:
        # Fractions and the like: at home they are compared as floats too.
        try:
            found = found.astype(float)
        except (TypeError, ValueError):
            raise NotPlain from None
    if found.dtype.kind not in "biuf" or (found.dtype == np.uint64 and found.size and found.max() >= 2**63):
        raise NotPlain
    dtype = {"b": "bool", "f": "float64"}.get(found.dtype.kind, "int64")
    return {"dtype": dtype, "shape": list(found.shape), "data": found.astype(dtype).ravel().tolist()}


def value_of(tree):
    """The value that a piece of JSON stands for."""
    if isinstance(tree, list):
        return [value_of(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "tuple" in tree:
        return tuple(value_of(item) for item in tree["tuple"])
    if "dict" in tree:
        return {value_of(key): value_of(item) for key, item in tree["dict"]}
    content = tree["array"]
    return np.array(content["data"], dtype=content["dtype"]).reshape(content["shape"])


def compiled(source, question):
    """The cell's code. Lines for IPython (%timeit, !pip, ?help) do nothing, as they can't be run here."""
    try:
        return compile(source, f"<{question}>", "exec", dont_inherit=True)
    except SyntaxError:
        return compile(IPYTHON_LINE.sub(r"\1pass", source), f"<{question}>", "exec", dont_inherit=True)


def answer(request, namespace, bound):
    """What came of one request: a dict without the nonce. A student's exception passes through."""
    if request["kind"] == "hello":
        if request["torch"]:
            import torch  # noqa: F401
        return {"outcome": "done"}
    question = request["question"]
    if request["kind"] == "cell":
        try:
            exec(compiled(request["source"], question), namespace)
        finally:
            # A later cell may use the name for something else; at home this question was checked before that.
            bound[question] = dict(namespace)
        return {"outcome": "done"}
    if request["name"] not in bound[question]:
        return {"outcome": "missing"}
    found = bound[question][request["name"]]
    if request["kind"] == "get":
        return {"outcome": "function"} if callable(found) else {"outcome": "value", "value": plain(found)}
    with np.errstate(all="ignore"):
        return {"outcome": "value", "value": plain(found(*value_of(request["arguments"])))}


def outcome(request, namespace, bound):
    """The reply as a line. Whatever a student's code raises, sys.exit included, comes to one word."""
    try:
        reply = answer(request, namespace, bound)
    except NotPlain:
        reply = {"outcome": "not_plain"}
    except TooLarge:
        reply = {"outcome": "too_large"}
    except BaseException:
        reply = {"outcome": "error"}
    line = json.dumps({"nonce": request["nonce"], **reply}).encode() + b"\n"
    if len(line) > REPLY_BYTES:
        line = json.dumps({"nonce": request["nonce"], "outcome": "too_large"}).encode() + b"\n"
    return line


def serve(requests, replies):
    """Answer requests until there are none left."""
    sys.modules["rlhw"] = nothing = Nothing()
    # IPython's display is there without an import; what it would show nobody sees.
    namespace, bound = {"__name__": "__main__", "np": np, "rlhw": nothing, "display": nothing}, {}
    for line in requests:
        replies.write(outcome(json.loads(line), namespace, bound))
        replies.flush()


def private_ends():
    """The protocol on files of its own, so that a print or an input() in a cell neither speaks nor listens there."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    os.close(silence)
    return requests, replies


if __name__ == "__main__":
    die_first()
    refuse_calls()
    sys.path.append(sys.argv[1])
    REPLY_BYTES = int(sys.argv[2])
    # Imported before a student's code runs, and once.
    import numpy as np

    serve(*private_ends())
