"""A recorded export of a real Label Studio server, for those who have none at hand; README.md beside says who labelled."""

from importlib import resources

from rlhw.preferences.files import strict_json


def recorded_export() -> list[dict[str, object]]:
    """The parsed JSON of the export, for `from_label_studio`: pairs of summaries of the small forum, two simulated annotators.

    >>> len(recorded_export())
    24
    """
    return strict_json((resources.files(__package__) / "forum_export.json").read_bytes())
