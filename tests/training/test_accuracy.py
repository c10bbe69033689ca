"""Accuracy, interval and table against arithmetic by hand, on folders whose true accuracy is known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.errors import StudioError
from convnext_studio.training.accuracy import Evaluation, evaluate, wilson_interval
from convnext_studio.training.trainer import train
from tests.training.drawn import PLAN, draw_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    out = folder / "discs.safetensors"
    train(draw_folder(folder / "pictures", 40), out, PLAN, device="cpu")
    return out


def test_known_accuracy(model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path, 8, seed=1)
    # Two of eight red discs are said to be blue: 22 of 24 answers that are right count as right.
    for name in ("000.png", "001.png"):
        (tmp_path / "red_disc" / name).rename(tmp_path / "blue_disc" / f"red{name}")
    (tmp_path / "blue_disc" / "broken.jpg").write_bytes(b"")
    draw_folder(tmp_path / "other", 1)
    (tmp_path / "other").rename(tmp_path / "no_disc")
    told: list[tuple[int, int]] = []
    measured = evaluate(model, tmp_path, device="cpu", advance=lambda *done: told.append(done))
    assert measured.labels == ("blue disc", "green disc", "red disc")
    assert measured.confusion.tolist() == [[8, 0, 2], [0, 8, 0], [0, 0, 6]]
    assert (measured.right, measured.total) == (22, 24)
    assert measured.confusions() == [("blue disc", "red disc", 2)]
    assert measured.unknown_folders == ("no_disc",)
    assert [path.name for path in measured.unreadable] == ["broken.jpg"]
    assert told[-1] == (25, 25)
    text = measured.to_text()
    assert "91.7% right: 22 of 24 pictures (95 % interval 74.2% to 97.7%)" in text
    assert "blue disc                     8     10   80.0%" in text
    assert "blue disc taken for red disc: 2" in text
    assert "no_disc" in text
    assert "1 picture could not be read and is not counted" in text


def test_another_input_size(model: Path, tmp_path: Path) -> None:
    measured = evaluate(model, draw_folder(tmp_path, 2), input_px=32, device="cpu")
    assert measured.total == 6


@pytest.mark.parametrize("input_px", [-3, 0, 1])
def test_an_input_size_that_the_network_does_not_take(model: Path, tmp_path: Path, input_px: int) -> None:
    with pytest.raises(StudioError, match="too small for this network"):
        evaluate(model, draw_folder(tmp_path, 2), input_px=input_px, device="cpu")


def test_nothing_in_common(model: Path, tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    draw_folder(tmp_path / "cats", 1)
    with pytest.raises(StudioError, match=r"none of the model's classes.*blue disc, green disc, red disc"):
        evaluate(model, tmp_path)
    (tmp_path / "red_disc").mkdir()
    (tmp_path / "red_disc" / "a.png").write_bytes(b"")
    with pytest.raises(StudioError, match="None of the pictures can be read"):
        evaluate(model, tmp_path)


def test_without_mistakes_no_confusions_are_announced() -> None:
    assert "confusions" not in Evaluation(("a", "b"), np.eye(2, dtype=np.int64)).to_text()


def test_class_without_pictures_has_no_percentage() -> None:
    measured = Evaluation(("a", "b"), np.array([[3, 1], [0, 0]]))
    assert measured.to_text().splitlines()[4].split() == ["b", "0", "0", "-"]


@pytest.mark.parametrize(
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, method 3.
    ("right", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_is_the_published_one(right: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_interval_solves_its_equation(counts: tuple[int, int]) -> None:
    right, total = counts
    part = right / total
    for bound in wilson_interval(right, total):
        # |part - bound| is z standard errors of the bound itself.
        assert (part - bound) ** 2 == pytest.approx(
            1.959963984540054**2 * bound * (1 - bound) / total, abs=1e-9
        )


def test_no_proportion() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson_interval(3, 2)
