"""Two answers to a prompt, and which is better: the page of `rlhw.labelling.label` (chapter 4). It saves nothing by itself."""

from collections.abc import Callable

import traitlets

from rlhw.widgets.base import FOLDER, Widget, javascript

STYLE = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("base.css", "labelling.css"))


class Labelling(Widget):
    """What `reply` returned last, shown; each message of the page goes to `reply`, and only its answer changes the page.

    So nothing new is shown before Python has dealt with what came before. Needs a kernel, and says so where there is none.
    """

    _esm = javascript("labelling")
    _css = STYLE

    pairs = traitlets.Int().tag(label="pairs")
    annotator = traitlets.Unicode().tag(label="annotator")
    _shown = traitlets.Dict().tag(sync=True)

    def __init__(self, reply: Callable[[object], dict], *, pairs: int, annotator: str):
        super().__init__(pairs=pairs, annotator=annotator, _shown=reply({"kind": "hello"}))
        self._reply = reply
        self.on_msg(self._answer)

    def _answer(self, widget: Widget, message: object, buffers: object) -> None:
        self._shown = self._reply(message)
