"""Two networks from Python: the arrays of both, their differences, and what corresponds."""

from pathlib import Path

import numpy as np
import pytest

from convnext_studio import Explorer
from convnext_studio.common.errors import StudioError
from convnext_studio.explorer import Comparison, Picture
from tests.networks import small_model, write_weights


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two networks of one architecture, and a deeper one."""
    folder = tmp_path_factory.mktemp("weights")
    models = small_model(0), small_model(1), small_model(2, depths=(1, 2, 3, 1))
    a, b, deeper = (write_weights(folder / f"{n}.safetensors", model) for n, model in enumerate(models))
    return a, b, deeper


@pytest.fixture(scope="module")
def explorer(files: tuple[Path, Path, Path]) -> Explorer:
    return Explorer(files[0], device="cpu")


@pytest.fixture(scope="module")
def picture(explorer: Explorer) -> Picture:
    return explorer.open("sample:cat")


@pytest.fixture
def comparison(explorer: Explorer, files: tuple[Path, Path, Path]) -> Comparison:
    return explorer.compare(files[1])


def test_all_differences_are_those_of_two_explorers(
    comparison: Comparison, picture: Picture, files: tuple[Path, Path, Path]
) -> None:
    other = Explorer(files[1], device="cpu")
    theirs = other.open("sample:cat")
    maps = comparison.maps(picture, "stage2")
    np.testing.assert_array_equal(maps.b.values, theirs.maps("stage2").values)
    np.testing.assert_array_equal(maps.difference, picture.maps("stage2").values - theirs.maps("stage2").values)
    cams = comparison.attribution(picture, "gradcam", "stage3", target=2)
    expected = [each.attribution("gradcam", "stage3", target=2).values for each in (picture, theirs)]
    np.testing.assert_array_equal(cams.difference, expected[0] - expected[1])
    unit = comparison.unit(picture, "stage2", 3, 4, 5)
    expected = [each.unit("stage2", 3, 4, 5).values for each in (picture, theirs)]
    np.testing.assert_array_equal(unit.difference, expected[0] - expected[1])
    predicted = comparison.predictions(picture)
    expected = [each.predictions.probabilities for each in (picture, theirs)]
    np.testing.assert_array_equal(predicted.difference, expected[0] - expected[1])
    field = comparison.receptive_field("stage2", count=2)
    of_both = [
        each.receptive_field("stage2", count=2).values for each in (Explorer(files[0], device="cpu"), other)
    ]
    shares = [values / values.sum() for values in of_both]
    np.testing.assert_allclose(field.difference, shares[0] - shares[1], atol=1e-12)


def test_a_network_compared_with_itself_differs_in_nothing(explorer: Explorer, picture: Picture) -> None:
    comparison = explorer.compare(explorer)
    assert not comparison.maps(picture, "stage1").difference.any()
    assert not comparison.predictions(picture).difference.any()
    assert all(tensor.distance == 0 and tensor.relative == 0 for tensor in comparison.weights().tensors)


def test_matched_nodes_are_listed_and_stated(
    explorer: Explorer, files: tuple[Path, Path, Path], picture: Picture
) -> None:
    deeper = Explorer(files[2], device="cpu")
    theirs = deeper.open("sample:cat")
    comparison = deeper.compare(explorer)
    matches = {match.a: match for match in comparison.nodes}
    assert set(matches) == {node.name for node in deeper.nodes}
    assert not matches["stage3.block3"].is_same
    maps = comparison.maps(theirs, "stage3.block3")
    assert maps.notes == ("B has no stage3.block3, so its stage3.block1 is compared",)
    np.testing.assert_array_equal(maps.b.values, picture.maps("stage3.block1").values)


def test_what_only_one_network_has_is_refused_in_words(
    comparison: Comparison, picture: Picture, explorer: Explorer, tmp_path: Path
) -> None:
    with pytest.raises(StudioError, match="no node “stage9”"):
        comparison.maps(picture, "stage9")
    with pytest.raises(StudioError, match="no node “stage9”"):
        comparison.unit(picture, "stage9", 0, 0, 0)
    fewer = write_weights(tmp_path / "fewer.safetensors", small_model(3, num_classes=3))
    few = explorer.compare(fewer)
    with pytest.raises(StudioError, match="B has no class “thing 5”"):
        few.attribution(picture, target=5)
    assert few.predictions(picture).classes.only_a == (3, 4, 5, 6)
    few.close()
    with pytest.raises(StudioError):
        few.maps(picture, "stage2")


def test_results_have_texts(comparison: Comparison, picture: Picture) -> None:
    assert repr(comparison) == "<Comparison: A 0, B 1>"
    assert repr(comparison.maps(picture, "stage1")).startswith("<Compared: A <Maps of stage1")
    predicted = comparison.predictions(picture)
    assert repr(predicted).startswith("<ComparedPredictions, A and B: thing ")
    assert predicted._repr_html_().count("<tr>") == 6
