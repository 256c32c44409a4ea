"""A real kernel that holds a labelling widget, for a page or a test: one message of the page a line in, what is shown a line out.

    python kernel_bridge.py LABELS.jsonl PAIRS.jsonl

What passes between them are the comm messages of Jupyter's widgets, as JupyterLab and Colab send them.
"""

import json
import sys
from queue import Empty

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

CELL = """
from rlhw.labelling import label
from rlhw.preferences import read_pairs
label(read_pairs({pairs!r}), {path!r}, "ann")
"""


def heard(client, parent: str) -> list[dict]:
    """All that the kernel says because of one message, until it is idle."""
    found = []
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != parent:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return found
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        found.append(message)


def main(path: str, pairs: str) -> None:
    # kernel_dirs: "python3" is then this interpreter, whatever kernels the machine's user has registered.
    manager = KernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        said = heard(client, client.execute(CELL.format(path=path, pairs=pairs)))
        opened = {m["content"]["comm_id"]: m["content"]["data"]["state"] for m in said if m["msg_type"] == "comm_open"}
        comm, state = next((comm, state) for comm, state in opened.items() if "_esm" in state)
        print(json.dumps({name: state[name] for name in ("_esm", "_css", "_shown")}), flush=True)
        print(manager.provisioner.pid, flush=True)
        for line in sys.stdin:
            content = {"comm_id": comm, "data": {"method": "custom", "content": json.loads(line)}}
            message = client.session.msg("comm_msg", content)
            client.shell_channel.send(message)
            answers = [
                m["content"]["data"] for m in heard(client, message["header"]["msg_id"]) if m["msg_type"] == "comm_msg"
            ]
            shown = [data["state"]["_shown"] for data in answers if "_shown" in data.get("state", {})]
            print(json.dumps(shown[-1] if shown else None), flush=True)
    except Empty:
        print("null", flush=True)  # the kernel is gone
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
