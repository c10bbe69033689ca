"""Session files: what is written is read, whatever is read is a session or a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Retouch
from convnext_studio.model.framing import Framing
from convnext_studio.protocol.similarity import Basis, KeptBasis
from convnext_studio.ui.state.opening.session_document import (
    FORMAT,
    VERSION,
    SavedSession,
    SessionModel,
    SessionPicture,
    from_bytes,
    read_session,
    to_text,
)

FOLDER = Path("/lecture")
HERE = FOLDER / "monday.cnxsession"
COUNTS = st.integers(0, 2**31 - 1)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=("Cs",)), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))
SESSIONS = st.builds(
    SavedSession,
    model=st.none()
    | st.builds(
        SessionModel,
        source=st.text(),
        stem_stride=st.none() | COUNTS,
        stem_padding=st.none() | COUNTS,
        config=st.none() | st.dictionaries(st.text(), SCALARS),
        seed=COUNTS,
        input_px=COUNTS,
        precision=st.sampled_from(["", "float32", "bfloat16"]),
    ),
    pictures=st.lists(
        st.builds(
            SessionPicture,
            path=st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: str(Path("/", *parts))),
            sha256=st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64),
        ),
        max_size=3,
    ).map(tuple),
    node=st.text(),
    channel=COUNTS,
    unit=st.none() | st.tuples(COUNTS, COUNTS),
    target=st.none() | COUNTS,
    against=st.none() | COUNTS,
    recipe=st.builds(
        Recipe,
        st.lists(
            st.builds(
                Change,
                node=st.text(),
                effect=st.sampled_from(["off", "mean", "factor"]),
                channels=st.lists(COUNTS, max_size=3).map(tuple),
                factor=st.floats(-2, 2),
                enabled=st.booleans(),
            ),
            max_size=2,
        ).map(tuple),
        st.lists(
            st.tuples(NAMES.map(lambda name: f"/{name}"), st.just((Retouch(rectangle=(1.0, 2.0, 3.0, 4.0)),))),
            max_size=1,
        ).map(tuple),
    ),
    panels=st.dictionaries(
        st.text(),
        st.dictionaries(st.text(), st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()),
    ),
    layout=st.text(),
    bases=st.lists(
        st.builds(
            KeptBasis,
            name=st.text(),
            basis=st.builds(
                Basis,
                node=st.text(),
                network=st.text(),
                origin=st.text(),
                numbers=st.binary(max_size=40),
                shares=st.lists(st.floats(0, 1), max_size=3).map(tuple),
                ends=st.lists(st.tuples(st.floats(-9, 0), st.floats(0, 9)), max_size=3).map(tuple),
                positions=COUNTS,
            ),
        ),
        max_size=2,
    ).map(tuple),
)


def is_session_or_sentence(data: bytes) -> bool:
    try:
        return isinstance(from_bytes(data, HERE), SavedSession)
    except StudioError as error:
        return "monday.cnxsession" in error.message


@given(session=SESSIONS)
def test_what_is_written_is_read(session: SavedSession) -> None:
    assert from_bytes(to_text(session, FOLDER).encode(), HERE) == session


@given(data=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_a_session_or_a_sentence(data: bytes) -> None:
    assert is_session_or_sentence(data)


@given(session=SESSIONS, place=st.data())
def test_a_session_with_any_part_replaced_gives_a_session_or_a_sentence(
    session: SavedSession, place: st.DataObject
) -> None:
    content = json.loads(to_text(session, FOLDER))
    inside: dict[str, Any] = content
    key = place.draw(st.sampled_from(sorted(inside)))
    while isinstance(inside[key], dict) and inside[key] and place.draw(st.booleans()):
        inside = inside[key]
        key = place.draw(st.sampled_from(sorted(inside)))
    inside[key] = place.draw(JSON)
    assert is_session_or_sentence(json.dumps(content).encode())


def test_pictures_beside_the_file_move_with_it() -> None:
    paths = ("/lecture/cat.png", "/lecture/a/dog.png", "/elsewhere/owl.png", "sample:cat")
    text = to_text(SavedSession(pictures=tuple(SessionPicture(path=path) for path in paths)), FOLDER)
    assert [each["path"] for each in json.loads(text)["pictures"]] == [
        "cat.png",
        "a/dog.png",
        "/elsewhere/owl.png",
        "sample:cat",
    ]
    moved = from_bytes(text.encode(), Path("/stick/monday.cnxsession"))
    assert [picture.path for picture in moved.pictures] == [
        "/stick/cat.png",
        "/stick/a/dog.png",
        "/elsewhere/owl.png",
        "sample:cat",
    ]


def test_a_session_of_the_first_version_is_read() -> None:
    """As that version wrote it."""
    content = {
        "format": "convnext-studio session",
        "version": 1,
        "model": {
            "source": "bundled",
            "stem_stride": None,
            "stem_padding": 1,
            "config": None,
            "seed": 0,
            "input_px": 224,
        },
        "pictures": [{"path": "cat.png", "sha256": ""}],
        "selection": {"picture": 0, "node": "stage3", "channel": 7, "unit": [1, 2], "target": 5},
        "panels": {"attribution": {"Method": "Grad-CAM"}},
        "layout": "",
    }
    expected = SavedSession(
        model=SessionModel(source="bundled", stem_padding=1, precision=""),
        pictures=(SessionPicture(path="/lecture/cat.png"),),
        picture=0,
        node="stage3",
        channel=7,
        unit=(1, 2),
        target=5,
        against=None,
        panels={"attribution": {"Method": "Grad-CAM"}},
    )
    assert from_bytes(json.dumps(content).encode(), HERE) == expected
    without_model = content | {"model": None}
    assert from_bytes(json.dumps(without_model).encode(), HERE) == structs.replace(expected, model=None)


def test_a_newer_version_is_told() -> None:
    text = json.dumps({"format": FORMAT, "version": VERSION + 1})
    with pytest.raises(StudioError, match="newer version"):
        from_bytes(text.encode(), HERE)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[" * 100_000, "\ud800", '{"format": "x"}', '{"format": "' + FORMAT + '", "version": true}'],
)
def test_broken_files_are_told(content: str) -> None:
    with pytest.raises(StudioError, match="not a session"):
        from_bytes(content.encode(errors="surrogatepass"), HERE)


def test_a_picture_that_is_not_in_the_list_is_an_error() -> None:
    text = to_text(SavedSession(pictures=(SessionPicture(path="/a.png"),), picture=1), FOLDER)
    with pytest.raises(StudioError, match="wrong kind"):
        from_bytes(text.encode(), HERE)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="cannot be read"):
        read_session(tmp_path / "gone.cnxsession")
    (tmp_path / "there.cnxsession").write_text(to_text(SavedSession(node="stage2"), tmp_path))
    assert read_session(tmp_path / "there.cnxsession").node == "stage2"


def test_framings_and_boxes_are_kept(tmp_path: Path) -> None:
    session = SavedSession(
        pictures=(SessionPicture(path=str(tmp_path / "cat.png"), box=(1, 2, 30, 40)),),
        framing=Framing(kind="whole", input_px=512),
    )
    again = from_bytes(to_text(session, tmp_path).encode(), tmp_path / "one.cnxsession")
    assert again.framing == session.framing
    assert again.pictures == session.pictures
