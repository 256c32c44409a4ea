"""The attack suite: hostile and broken submissions, each with what it is after, and honest ones that must not suffer.

Every attack of ATTACKS gains something under plain nbval: one that does not proves nothing. PROBES have no counterpart
there (they speak to the grader's own protocol); they must gain nothing either, and do not count.
"""

from .beside import BESIDE
from .checks import CHECKS
from .exhaust import EXHAUST
from .files import FILES
from .honest import HONEST, Honest
from .hooks import HOOKS
from .inside import INSIDE
from .lies import LIES
from .pages import PAGES
from .probes import PROBES
from .reach import REACH
from .reading import READING
from .scene import Attack, HandIn, Scene, check_of

ATTACKS: tuple[Attack, ...] = (*CHECKS, *HOOKS, *INSIDE, *BESIDE, *READING, *LIES, *EXHAUST, *REACH, *FILES, *PAGES)

__all__ = ["ATTACKS", "HONEST", "PROBES", "Attack", "HandIn", "Honest", "Scene", "check_of"]
