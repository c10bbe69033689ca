"""Which job comes next, against an independent account of the rules."""

from collections.abc import Generator

from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.engine.server.scheduler import Job, Scheduler
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField

KINDS = (
    lambda identifier: LoadModel(id=identifier, source=""),
    lambda identifier: OpenImage(id=identifier),
    lambda identifier: Predict(id=identifier, image=""),
    lambda identifier: FeatureMaps(id=identifier, image="", node=""),
    lambda identifier: ReceptiveField(id=identifier, node=""),
)

# What happens, in order: a request of some kind arrives, one is cancelled, or the worker takes a step.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, len(KINDS) - 1), st.integers(1, 4)),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("step"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


def test_nothing_to_do() -> None:
    scheduler = Scheduler()
    scheduler.cancel(1)
    assert scheduler.next() is None


@given(EVENTS)
def test_the_most_urgent_first_and_no_job_lost(events: list[tuple[str, int, int]]) -> None:
    scheduler = Scheduler()
    requests: list[Request] = []
    steps_left: dict[int, int] = {}
    cancelled: set[int] = set()
    finished: list[int] = []

    def step() -> Job | None:
        job = scheduler.next()
        waiting = [request for request in requests if request.id not in finished]
        if job is None:
            assert not waiting
            return None
        chosen = job.request
        assert chosen in waiting
        assert job.cancelled == (chosen.id in cancelled)
        for other in waiting:
            # Cancelled ones come first; nobody more urgent, or as urgent and earlier, is passed over.
            if job.cancelled == (other.id in cancelled):
                assert (chosen.priority, requests.index(chosen)) <= (other.priority, requests.index(other))
            else:
                assert job.cancelled
        steps_left[chosen.id] -= 1
        if job.cancelled or steps_left[chosen.id] == 0:
            scheduler.finish(job)
            finished.append(chosen.id)
        return job

    for event, number, steps in events:
        if event == "add":
            request = KINDS[number](len(requests) + 1)
            requests.append(request)
            steps_left[request.id] = steps
            scheduler.add(request)
        elif event == "cancel":
            scheduler.cancel(number)
            cancelled |= {number} & {request.id for request in requests if request.id not in finished}
        else:
            step()
    while step() is not None:
        pass
    assert sorted(finished) == [request.id for request in requests]


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
