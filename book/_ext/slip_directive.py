"""The directive ``{slip}``: a common mistake as a box, with the label ``slip-NAME``.

```{slip} ascent-sign
**"What people write."** Why it is wrong, with a number: {card}`slips_01 ascent_sign|.2f`.
```
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Slip(SphinxDirective):
    """One slip. The body is Markdown."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the box, or warn with one sentence where the name or the body will not do."""
        name = self.arguments[0]
        if not NAME.fullmatch(name):
            sentence = "%r is no name for a slip: use small letters, digits and hyphens, such as ascent-sign."
            logger.warning(sentence, name, location=self.get_location())
            return []
        if not any(line.strip() for line in self.content):
            sentence = "the slip %r says nothing: write the mistake and its refutation."
            logger.warning(sentence, name, location=self.get_location())
            return []
        label, words = f"slip-{name}", name.replace("-", " ")
        box = nodes.admonition(classes=["slip"], ids=[label])
        self.set_source_info(box)
        box += nodes.title("", f"Slip: {words}")
        self.state.nested_parse(self.content, self.content_offset, box)
        self.env.get_domain("std").note_hyperlink_target(label, self.env.docname, label, f"slip: {words}")
        return [box]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("slip", Slip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
