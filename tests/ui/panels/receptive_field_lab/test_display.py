"""One colour scale for several fields, against percentiles of the coloured values themselves."""

import numpy as np
import pytest
from msgspec.structs import replace

from convnext_studio.render import Limits, Range
from convnext_studio.ui.panels.receptive_field_lab.compare import Display
from convnext_studio.ui.state.app_state import AppState
from tests.ui.conftest import make_model
from tests.ui.panels.receptive_field_lab.told import field_result


@pytest.mark.parametrize("is_relative", [False, True])
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("range_", [Range(), Range("percentile", 90.0)])
def test_the_scale_holds_the_own_ends_of_each_field(
    state: AppState, scale: str, is_relative: bool, range_: Range
) -> None:
    state.set_model(make_model())
    rng = np.random.default_rng(0)
    views = [replace(field_result(state), field_map=rng.gamma(0.4, size, (51, 51))) for size in (1.0, 30.0)]
    display = Display(scale="log" if scale == "log" else "linear", is_relative=is_relative, range=range_)
    colours, beyond = display.colours(views, [display.limits(view) for view in views])
    shown = [np.log10(view.field_map + 1) if scale == "log" else view.field_map for view in views]
    if is_relative:
        shown = [values / values.max() for values in shown]
    share = range_.percentile if range_.kind == "percentile" else 100
    # 51 × 51 values: every percentile of even tens is one of them, and not between two.
    ends = [np.percentile(values, (100 - share, share)) for values in shown]
    assert colours.limits.low == pytest.approx(min(low for low, _ in ends))
    assert colours.limits.high == pytest.approx(max(high for _, high in ends))
    assert beyond.above == (share < 100)


def test_two_numbers_hold_for_all(state: AppState) -> None:
    state.set_model(make_model())
    view = field_result(state)
    display = Display(range=Range("hand", hand=Limits(1.0, 9.0)))
    colours, beyond = display.colours([view], [display.limits(view)])
    assert colours.limits == Limits(1.0, 9.0)
    assert (beyond.below, beyond.above) == (True, False)
