"""Which request the engine works on next: decided here, without threads or clocks."""

from collections.abc import Generator
from dataclasses import dataclass

from convnext_studio.protocol.envelope import Payload, Progress, Request

Work = Generator[Progress, None, Payload]


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way to an answer.

    Attributes
    ----------
    request
        What was asked.
    work
        Its computation; None until it is started.
    seconds
        Time spent computing so far.
    cancelled
        Nobody waits for the answer any more. Set from another thread while the job computes.
    """

    request: Request
    work: Work | None = None
    seconds: float = 0.0
    cancelled: bool = False


class Scheduler:
    """The jobs that are waiting, paused or running, in order of arrival. Not thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}

    def add(self, request: Request) -> None:
        """A request arrived."""
        self._jobs[request.id] = Job(request)

    def cancel(self, identifier: int) -> None:
        """Nobody waits for this answer any more; nothing happens where there is no such request."""
        if (job := self._jobs.get(identifier)) is not None:
            job.cancelled = True

    def next(self) -> Job | None:
        """The job to take a step of; None where there is nothing to do.

        Cancelled jobs come first, since ending them is quick and frees what they hold; then the lowest
        priority number, and among equals the one that arrived first.
        """
        # min() gives the first of equals, and a dict keeps the order of arrival.
        return min(self._jobs.values(), key=lambda job: (not job.cancelled, job.request.priority), default=None)

    def finish(self, job: Job) -> None:
        """The job was answered."""
        del self._jobs[job.request.id]
