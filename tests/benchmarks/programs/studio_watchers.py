"""What is waited for in the program's window before it reports and ends."""

import os
from collections.abc import Callable

from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.shell.screenshot import Quiet
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from tests.benchmarks.programs.remembering import peak_bytes
from tests.benchmarks.programs.watching import Gaps, Painted, report_and_end


def painted(window: StudioWindow, _state: AppState) -> None:
    """The window itself, with nothing in it yet."""
    Painted(window, lambda: report_and_end(window))


def predicted(window: StudioWindow, state: AppState) -> None:
    """Predictions, feature maps and Grad-CAMs of the first picture, on the screen."""

    def arrived(prediction: Prediction | None) -> None:
        if prediction is not None:
            Painted(window, lambda: report_and_end(window))

    state.prediction_made.connect(arrived)


def settled(window: StudioWindow, _state: AppState) -> None:
    """All that the program does by itself, receptive field included; reports the event loop's gaps."""

    def start() -> None:
        gaps = Gaps(window)
        quiet = Quiet(lambda: window.is_settled, window)
        quiet.reached.connect(lambda: report_and_end(window, gaps=[*gaps.seconds], working=[*gaps.working_s]))

    Painted(window, start)


def remembered(window: StudioWindow, _state: AppState) -> None:
    """As `settled`; reports the largest resident memory that window and engine had, in bytes."""

    def start() -> None:
        quiet = Quiet(lambda: window.is_settled, window)
        quiet.reached.connect(end)

    def end() -> None:
        # Imported here, because the program itself does not use it: it would delay the window.
        from psutil import Process

        # Beside the engine there is the small process with which Python watches shared memory.
        engine_bytes = max(peak_bytes(child.pid) for child in Process().children())
        report_and_end(window, window_bytes=peak_bytes(os.getpid()), engine_bytes=engine_bytes)

    Painted(window, start)


WATCHERS: dict[str, Callable[[StudioWindow, AppState], None]] = {
    "painted": painted,
    "predicted": predicted,
    "settled": settled,
    "remembered": remembered,
}
