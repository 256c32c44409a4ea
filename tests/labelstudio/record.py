"""Record rlhw/preferences/recorded/forum_export.json anew: `python tests/labelstudio/record.py`, after `make test-labelstudio`.

A real server, two accounts, each of which submits what a simulated annotator says.
"""

import json
import tempfile
from pathlib import Path

from forum import RELABELLED, SKIPPED, forum_pairs, said
from studio import PROGRAM, ROOT, pairwise, server

from rlhw.preferences import to_label_studio
from rlhw.preferences.comparison import OTHER_SIDE
from rlhw.preferences.files import write_whole

SIDE = {"first": "left", "second": "right"}


def main() -> None:
    config, tasks = to_label_studio(forum_pairs())
    with tempfile.TemporaryDirectory() as folder, server(PROGRAM, Path(folder)) as accounts:
        project = accounts[0].new_project("The small forum", config, tasks)
        shown = accounts[0].tasks(project)
        for name, account in zip(("1", "2"), accounts, strict=True):
            for place, (task, (choice, seconds)) in enumerate(zip(shown, said(name), strict=True)):
                if (name, place) == ("2", SKIPPED):
                    account.annotate(task, [], seconds, skip=True)
                    continue
                if (name, place) == ("2", RELABELLED):
                    account.annotate(task, pairwise(SIDE[OTHER_SIDE[choice]]), seconds)
                account.annotate(task, pairwise(SIDE[choice]), seconds)
        export = accounts[0].export(project, "JSON")
    target = ROOT / "rlhw/preferences/recorded/forum_export.json"
    write_whole(target, [(json.dumps(export, indent=1) + "\n").encode()])
    print(f"{len(export)} tasks in {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
