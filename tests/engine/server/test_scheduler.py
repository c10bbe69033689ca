"""Which job comes next, against an independent account of the rules."""

import importlib
import pkgutil
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio import protocol
from convnext_studio.engine.server.scheduler import SHORTEST_TURN_SECONDS, Job, Scheduler
from convnext_studio.protocol.attributions import Explain, ExplainSeveral
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel, MeasureCosts
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField

KINDS = (
    lambda identifier: LoadModel(id=identifier, source=""),
    lambda identifier: OpenImage(id=identifier),
    lambda identifier: Predict(id=identifier, image=""),
    lambda identifier: FeatureMaps(id=identifier, image="", node=""),
    lambda identifier: ReceptiveField(id=identifier, node=""),
    lambda identifier: ExplainSeveral(id=identifier, images=(), question=Explain(image="", method="gradcam")),
    lambda identifier: MeasureCosts(id=identifier),
)

# What happens, in order: a request of some kind arrives, one is cancelled, or the worker takes a step.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, len(KINDS) - 1), st.integers(1, 4)),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("step"), st.integers(0, 9), st.integers(0, 1)),
    ),
    max_size=60,
)


def test_nothing_to_do() -> None:
    scheduler = Scheduler()
    scheduler.cancel(1)
    assert scheduler.next() is None


class Account:
    """An independent account of what has arrived and of how far it is; times are in eighths of a second."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.requests: list[Request] = []
        self.steps_left: dict[int, int] = {}
        self.eighths: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.waiting_outside: set[int] = set()
        self.finished: list[int] = []

    @property
    def unfinished(self) -> list[Request]:
        return [request for request in self.requests if request.id not in self.finished]

    def add(self, kind: int, steps: int) -> None:
        request = KINDS[kind](len(self.requests) + 1)
        self.requests.append(request)
        self.steps_left[request.id] = steps
        self.eighths[request.id] = 0
        self.scheduler.add(request)

    def cancel(self, identifier: int) -> None:
        self.scheduler.cancel(identifier)
        self.cancelled |= {identifier} & {request.id for request in self.unfinished}

    def rank(self, request: Request) -> tuple[int, int, int, int]:
        """Tier, how often the time has doubled, priority and arrival: the lowest goes first."""
        tier = 0 if request.priority <= 3 else 2 if request.priority >= 8 else 1
        if tier == 0 and request.id in self.waiting_outside:
            tier = 1
        turns = 0
        while tier == 1 and self.eighths[request.id] >= 2 * 2 ** (turns + 1):
            turns += 1
        return tier, turns, request.priority, self.requests.index(request)

    def check(self, job: Job) -> None:
        """Cancelled jobs come first; none that ranks before the chosen one is passed over."""
        chosen = job.request
        assert chosen in self.unfinished
        assert job.cancelled == (chosen.id in self.cancelled)
        for other in self.unfinished:
            if job.cancelled == (other.id in self.cancelled):
                assert self.rank(chosen) <= self.rank(other)
            else:
                assert job.cancelled

    def step(self, spent: int = 0, gives_way: bool = False) -> Job | None:
        job = self.scheduler.next()
        if job is None:
            assert not self.unfinished
            return None
        self.check(job)
        identifier = job.request.id
        self.eighths[identifier] += spent
        job.seconds += spent / 8
        job.gives_way = gives_way
        self.waiting_outside.discard(identifier)
        self.waiting_outside.update({identifier} if gives_way else ())
        self.steps_left[identifier] -= 1
        if job.cancelled or self.steps_left[identifier] == 0:
            self.scheduler.finish(job)
            self.finished.append(identifier)
        return job


@given(EVENTS)
def test_the_most_urgent_first_and_no_job_lost(events: list[tuple[str, int, int]]) -> None:
    account = Account()
    for event, number, more in events:
        if event == "add":
            account.add(number, more)
        elif event == "cancel":
            account.cancel(number)
        else:
            account.step(spent=number, gives_way=bool(more))
    while account.step() is not None:
        pass
    assert sorted(account.finished) == [request.id for request in account.requests]


def test_a_job_keeps_its_work_while_it_steps_aside() -> None:
    def work() -> Generator[Progress, None, Payload]:
        yield Progress(id=1, done=1, total=1, text="")
        return None

    scheduler = Scheduler()
    scheduler.add(ReceptiveField(id=1, node=""))
    paused = scheduler.next()
    assert paused is not None
    paused.work = work()
    next(paused.work)
    scheduler.add(Predict(id=2, image=""))
    urgent = scheduler.next()
    assert urgent is not None
    assert urgent.request.id == 2
    scheduler.finish(urgent)
    assert scheduler.next() is paused


def all_requests() -> Iterator[type[Request]]:
    """Every class of request of the protocol."""
    for module in pkgutil.iter_modules(protocol.__path__):
        importlib.import_module(f"{protocol.__name__}.{module.name}")
    waiting = [Request]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        yield from (kind for kind in below if kind.__module__.startswith(protocol.__name__))


def pretend(kind: type[Request], identifier: int) -> Request:
    """A request of a class whose own fields do not matter here."""
    return type("Pretended", (Request,), {"priority": kind.priority}, frozen=True)(id=identifier)


@pytest.mark.parametrize(
    "long", [kind for kind in all_requests() if kind.priority > 3], ids=lambda k: k.__name__
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_short_job_never_waits_for_long_ones(long: type[Request], count: int) -> None:
    """Whatever is being computed, a new job of ten steps is done after its own time and one step of another."""
    for short in all_requests():
        if short.priority >= 8:
            continue
        scheduler, step_s, clock = Scheduler(), 0.02, 0.0
        for number in range(count):
            scheduler.add(pretend(long, number))
        while clock < 20:
            job = scheduler.next()
            assert job is not None
            job.seconds += step_s
            clock += step_s
        scheduler.add(pretend(short, 99))
        steps = 10
        while steps:
            job = scheduler.next()
            assert job is not None
            job.seconds += step_s
            clock += step_s
            steps -= job.request.id == 99
        assert clock - 20 == pytest.approx(10 * step_s, abs=1.5 * step_s), short.__name__


def test_long_jobs_of_one_kind_take_turns() -> None:
    """After any time, no job has computed more than twice as long as another, or than the shortest turn."""
    scheduler = Scheduler()
    jobs = []
    for number in range(4):
        scheduler.add(ReceptiveField(id=number, node=""))
    for _ in range(2000):
        job = scheduler.next()
        assert job is not None
        job.seconds += 0.01
        jobs.append(job)
    spent = sorted({job.request.id: job.seconds for job in jobs}.values())
    assert len(spent) == 4
    assert spent[-1] <= 2 * max(spent[0], SHORTEST_TURN_SECONDS) + 0.01


def test_a_download_lets_everything_else_go_first() -> None:
    scheduler = Scheduler()
    scheduler.add(LoadModel(id=1, source=""))
    download = scheduler.next()
    assert download is not None
    download.gives_way, download.seconds = True, 30.0
    for request in (Predict(id=2, image=""), ReceptiveField(id=3, node="")):
        scheduler.add(request)
        following = scheduler.next()
        assert following is not None
        assert following.request == request
        scheduler.finish(following)
    # The file is here: loading it is quick again.
    download.gives_way = False
    scheduler.add(ReceptiveField(id=4, node=""))
    assert scheduler.next() is download
