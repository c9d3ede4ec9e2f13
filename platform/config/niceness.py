"""Making a nice process nice where Linux weighs whole sessions against each other."""

import contextlib
import os
from pathlib import Path

_GROUP = Path("/proc/self/autogroup")  # https://man7.org/linux/man-pages/man7/sched.7.html, "The autogroup feature"


def extend_to_session() -> None:
    """The session of a nice process that leads it is as nice as the process on return, where this system groups by session.

    There `nice` counts only among the processes of one session, and a worker that has one of its own would take as much as the web server.
    Nothing happens to a session that somebody else leads, such as a terminal's.
    """
    own = os.nice(0)
    if own > 0 and os.getsid(0) == os.getpid() and _GROUP.exists():
        with contextlib.suppress(OSError):  # a container may have it read-only
            _GROUP.write_text(str(own))
