"""Looking for a camera that was lost until it is back."""

import threading
from collections.abc import Callable

from mv3d.capture.frames import Source
from mv3d.errors import Mv3dError

# Waits before a lost camera is tried again, s; the last one for ever after.
_RETRY_AFTER = (0.2, 0.5, 1.0, 2.0, 5.0)


def reopened(
    reopen: Callable[[], Source], stopped: threading.Event, failed: Callable[[str], None] = lambda _: None
) -> Source | None:
    """The camera, open again; None if it is to be looked for no more.

    Args:
        reopen: opens it.
        stopped: ends the search.
        failed: is told why each try did not succeed.
    """
    attempt = 0
    while not stopped.wait(_RETRY_AFTER[min(attempt, len(_RETRY_AFTER) - 1)]):
        attempt += 1
        try:
            return reopen()
        except Mv3dError as error:
            failed(str(error))
    return None
