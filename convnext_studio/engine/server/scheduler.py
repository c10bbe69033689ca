"""Decides which request the engine works on next, without threads or clocks."""

from collections.abc import Generator
from dataclasses import dataclass

from convnext_studio.protocol.envelope import Payload, Progress, Request

Work = Generator[Progress, None, Payload]


@dataclass(slots=True, eq=False)
class Job:
    """A request that is being worked on or waits for its turn.

    Attributes
    ----------
    request
        The request to answer.
    work
        Its computation; None until it is started.
    seconds
        The computing time so far.
    cancelled
        Whether the answer is no longer wanted. Set from another thread while the job computes.
    """

    request: Request
    work: Work | None = None
    seconds: float = 0.0
    cancelled: bool = False


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

        Cancelled jobs come first, since ending them is quick and frees what they hold; then the lowest
        priority number, and among equals the one that arrived first.
        """
        # min() returns the first of equals, and a dict keeps the order of arrival.
        return min(self._jobs.values(), key=lambda job: (not job.cancelled, job.request.priority), default=None)

    def finish(self, job: Job) -> None:
        """Remove a job that was answered."""
        del self._jobs[job.request.id]
