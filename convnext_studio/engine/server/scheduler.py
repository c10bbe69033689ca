"""Decides which request the engine works on next, without threads or clocks.

The rule has three parts. Quick requests (`Request.is_quick`: opening, predicting, reading a map) go first,
and background requests (`Request.is_background`: timing nodes, checking files) go last. A quick one that
waits for a network or a disk counts as one of the others. Among all others, the one that has computed least
so far goes next, so that a short job never waits for a long one, whatever they are: a job that has just
arrived has computed nothing. This is the least attained service rule, which favours short jobs without
knowing how long they will take (Kleinrock, Queueing Systems II, 1976, section 4.5).
"""

import math
from collections.abc import Generator

from msgspec import Struct

from convnext_studio.protocol.envelope import Payload, Progress, Request

Work = Generator[Progress, None, Payload]

# Two long jobs take turns when one has computed twice as long as the other, not at every step, because the
# caches of the processor and the allocator are warm for the one that ran last.
SHORTEST_TURN_SECONDS = 0.25


class Job(Struct, eq=False):
    """A request that is being worked on or waits for its turn.

    Attributes
    ----------
    request
        The request to answer.
    work
        Its computation; None until it is started.
    seconds
        The computing time so far.
    gives_way
        Whether the work waits for a network or a disk, so that it is not quick any more; see `Progress`.
    cancelled
        Whether the answer is no longer wanted. Set from another thread while the job computes.
    """

    request: Request
    work: Work | None = None
    seconds: float = 0.0
    gives_way: bool = False
    cancelled: bool = False

    @property
    def urgency(self) -> tuple[bool, bool, bool, int, int]:
        """The sort key of the job: the job with the lowest one is stepped next."""
        request = self.request
        is_quick = request.is_quick and not self.gives_way
        is_shared = not is_quick and not request.is_background
        doublings = math.floor(math.log2(max(1.0, self.seconds / SHORTEST_TURN_SECONDS))) if is_shared else 0
        return (not self.cancelled, not is_quick, request.is_background, doublings, request.priority)


class Scheduler:
    """The jobs that are waiting, paused or running, in order of arrival; not thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}

    def add(self, request: Request) -> None:
        """Add a job for a request that has arrived."""
        self._jobs[request.id] = Job(request)

    def cancel(self, identifier: int) -> None:
        """Mark a request as cancelled; do nothing if there is no such request."""
        if (job := self._jobs.get(identifier)) is not None:
            job.cancelled = True

    def next(self) -> Job | None:
        """Return the job to step next, or None if there is nothing to do.

        Cancelled jobs come first, since ending them is quick and frees what they hold. Then come quick
        requests, then those that have computed least so far, then background requests. Among equals, the lowest
        priority number comes first, and then the job that arrived first.
        """
        # min() returns the first of equals, and a dict keeps the order of arrival.
        return min(self._jobs.values(), key=lambda job: job.urgency, default=None)

    def finish(self, job: Job) -> None:
        """Remove a job that was answered."""
        del self._jobs[job.request.id]
