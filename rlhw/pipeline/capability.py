"""Whether the installed torch holds code for a GPU. Only the standard library is loaded: `rlhw.session` asks here too."""

import re


def capability_advice(capability: tuple[int, int], architectures: list[str], torch_version: str) -> str | None:
    """What to do when the installed torch holds no code for a device of this compute capability; None when it does.

    `architectures` is torch.cuda.get_arch_list(): sm_86 runs on 8.6 and later of the same 8, compute_86 (which the
    driver compiles when it is first used) on 8.6 and everything later.

    >>> capability_advice((9, 0), ["sm_80", "sm_90"], "2.13.0") is None
    True
    >>> capability_advice((12, 0), ["sm_80", "sm_90"], "2.4.0")
    'torch 2.4.0 is too old for this GPU: it supports up to 9.0. Install a newer torch, or run on the CPU.'
    """
    known = []
    for name in architectures:
        if found := re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]*", name):
            known.append((found[1], (int(found[2]), int(found[3]))))
    if any(has <= capability and (kind == "compute" or has[0] == capability[0]) for kind, has in known):
        return None
    newest = max((has for _, has in known), default=(0, 0))
    if newest < capability:
        limit = f"is too old for this GPU: it supports up to {newest[0]}.{newest[1]}. Install a newer torch"
    else:
        oldest = min(has for _, has in known)
        limit = f"no longer supports this GPU: it begins at {oldest[0]}.{oldest[1]}. Install an older torch"
    return f"torch {torch_version} {limit}, or run on the CPU."
