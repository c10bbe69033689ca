"""The main loop of the engine process, which answers requests step by step, the most urgent first.

One thread receives the window's messages, the other computes. A request is a generator that the computing
thread steps; between two steps, it switches to a more urgent request if one has arrived, and comes back later.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from convnext_studio.common.errors import why_not_imported
from convnext_studio.common.processes.garbage_collection import collecting_later
from convnext_studio.common.stopping import Stopped
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.engine.server.faults import failure, is_expected, poisons_device
from convnext_studio.engine.server.logs import forward_logs
from convnext_studio.engine.server.scheduler import Job, Scheduler, Work
from convnext_studio.protocol.connection.transport import DEVICE_FAULT_EXIT_CODE, Channel
from convnext_studio.protocol.envelope import (
    Cancel,
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Message,
    Order,
    Payload,
    Progress,
    Request,
    Shutdown,
    Started,
)

_LOG = logging.getLogger(__name__)


class Answerer(Protocol):
    """The interface of what computes the answers: the engine's `Dispatcher`."""

    @property
    def gpu_free_bytes(self) -> int:
        """How much memory is free on the GPU that is used; 0 if none is."""

    def answer(self, request: Request, should_stop: Callable[[], bool]) -> Work:
        """Return a generator that yields progress and returns the answer.

        It raises `StudioError` for errors that users can run into, and `Stopped` once `should_stop()` is true.
        """


def main(channel: Channel[Order]) -> None:
    """Serve requests with the real dispatcher until the window is gone."""
    serve(channel, _make_dispatcher)


def _make_dispatcher() -> Answerer:
    # The decoder's process loads its libraries while this one loads the dispatcher's.
    decoder = Decoder()
    decoder.start()
    with collecting_later():
        # Imported here because torch takes seconds, during which a closed window must already be noticed.
        from convnext_studio.engine.server.dispatch import Dispatcher

    return Dispatcher(reader=decoder)


def serve(channel: Channel[Order], make_dispatcher: Callable[[], Answerer]) -> None:
    """Answer the requests from the channel; never returns, because the process ends with the window."""
    worker = _Worker(channel)
    forward_logs(worker.send)
    threading.Thread(target=worker.receive, name="engine-receiver", daemon=True).start()
    try:
        dispatcher = make_dispatcher()
    except Exception as error:
        traceback.print_exc()
        sentence = f"The engine cannot start. {why_not_imported(error)}"
        worker.send(EngineLost(message=sentence, restarting=False))
        os._exit(1)
    worker.send(EngineReady())
    worker.compute(dispatcher)


class _Worker:
    def __init__(self, channel: Channel[Order]) -> None:
        self._channel = channel
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        # Sending a message takes several writes, and any thread may log.
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        try:
            with self._sending:
                self._channel.send(message)
        except OSError:
            # The window is gone.
            os._exit(0)

    def receive(self) -> None:
        """Receive messages; end the process when the window ends, even during a computation."""
        try:
            while True:
                self._take_in(self._channel.receive())
        except (EOFError, OSError):
            os._exit(0)
        except BaseException:
            # An engine that receives nothing must not keep running.
            traceback.print_exc()
            os._exit(1)

    def _take_in(self, message: Order) -> None:
        with self._changed:
            match message:
                case Request():
                    self._scheduler.add(message)
                case Cancel():
                    self._scheduler.cancel(message.id)
                case Shutdown():
                    os._exit(0)
            self._changed.notify()

    def compute(self, dispatcher: Answerer) -> None:
        """Step the most urgent job again and again, forever."""
        while True:
            with self._changed:
                while (job := self._scheduler.next()) is None:
                    self._changed.wait()
            message = self._step(dispatcher, job)
            if not isinstance(message, Progress):
                with self._changed:
                    self._scheduler.finish(job)
            self.send(message)

    def _step(self, dispatcher: Answerer, job: Job) -> Progress | Done | Failed | Cancelled:
        identifier = job.request.id
        begin = time.perf_counter()
        try:
            if job.cancelled:
                if job.work is not None:
                    job.work.close()
                return Cancelled(id=identifier)
            if job.work is None:
                self.send(Started(id=identifier))
                job.work = dispatcher.answer(job.request, lambda: job.cancelled)
            progress = next(job.work)
            job.gives_way = progress.gives_way
            return progress
        except StopIteration as finished:
            payload: Payload = finished.value
            seconds, free_bytes = job.seconds + time.perf_counter() - begin, dispatcher.gpu_free_bytes
            return Done(id=identifier, payload=payload, seconds=seconds, free_bytes=free_bytes)
        except Stopped:
            return Cancelled(id=identifier)
        except Exception as error:
            return _explain(identifier, error)
        finally:
            job.seconds += time.perf_counter() - begin


def _explain(identifier: int, error: Exception) -> Failed:
    if not is_expected(error):
        _LOG.error("An internal error occurred.", exc_info=error)
    if poisons_device(error):
        # Only a new process can use the device again: the client starts one and repeats the requests.
        os._exit(DEVICE_FAULT_EXIT_CODE)
    return failure(identifier, error)
