"""Plots name their decades."""

from convnext_studio.ui.fieldlab.plots import log_ticks


def test_decades_are_named_and_little_ranges_have_numbers_between_them() -> None:
    major, minor = log_ticks(0.3, 2.0)
    assert [text for _, text in major] == ["1", "2", "5", "10", "20", "50", "100", "200", "500"]
    assert dict(major)[2.0] == "100"
    assert len(minor) == 27
    assert [text for _, text in log_ticks(-7.0, -3.0)[0]] == ["1e-07", "1e-06", "1e-05", "0.0001", "0.001"]
