"""Handlers that list, check, open, show and close pictures."""

import time
from collections.abc import Generator
from pathlib import Path

from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, written_whole
from convnext_studio.common.foreign.bounded_files import digest
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.processes.heap import hand_back_freed_memory
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.common.stopping import Stopped
from convnext_studio.decoding.images import PREVIEW_PX, DecodedImage, described, file_key, file_of, reduced
from convnext_studio.decoding.picture_folders import natural_key, no_pictures, walk_pictures
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.pictures import (
    THUMBNAIL_PX,
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ImageInfo,
    ListedPicture,
    ListedPictures,
    ListPictures,
    OpenImage,
    OpenRetouched,
    PictureFailure,
    PictureSource,
    RestorePictures,
    SavedPicture,
    SavePicture,
    ShowPicture,
    Thumbnail,
    ThumbnailPixels,
)

CHECKED_AT_ONCE = 32
MOST_LISTED = 100_000
_STEP_S = 0.03


@handles(ListPictures)
def list_pictures(
    workspace: Workspace, request: ListPictures, should_stop: ShouldStop
) -> Generator[Progress, None, ListedPictures]:
    """Find the files, and read the headers of the first, to report at once what was dropped by mistake."""
    found: list[str] = []
    failures: list[PictureFailure] = []
    folders: list[str] = []
    for path in request.paths:
        try:
            if path.startswith(SAMPLE_PREFIX) or not _is_folder(path):
                found.append(path)
                continue
            folders.append(path)
            found += yield from _pictures_below(request, path, len(found), should_stop)
        except StudioError as error:
            failures.append(PictureFailure(path=path, message=error.message, hint=error.hint))
    found = list(dict.fromkeys(found))
    if len(found) > MOST_LISTED:
        failures.append(
            PictureFailure(
                path=found[MOST_LISTED],
                message=f"Only the first {MOST_LISTED:,} of {len(found):,} pictures are listed.",
            )
        )
        found = found[:MOST_LISTED]
    unsound = [_failure_of(workspace, path) for path in found[:CHECKED_AT_ONCE]]
    failures += [failure for failure in unsound if failure is not None]
    places = {path: place for place, path in enumerate(request.paths)}
    failures.sort(key=lambda failure: places.get(failure.path, len(places)))
    sound = [path for path, failure in zip(found, unsound, strict=False) if failure is None]
    pictures = yield from _listed(request, (*sound, *found[len(unsound) :]), should_stop)
    workspace.pictures.know({each.key: PictureSource(each.path, each.name) for each in pictures})
    return ListedPictures(
        pictures=tuple(pictures), checked=len(sound), failures=tuple(failures), folders=tuple(folders)
    )


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # Reading its header will report what is wrong.
        return False


def _pictures_below(
    request: ListPictures, folder: str, before: int, should_stop: ShouldStop
) -> Generator[Progress, None, list[str]]:
    paths: list[Path] = []
    last = time.monotonic()
    for some in walk_pictures(folder):
        paths += some
        if should_stop():
            raise Stopped
        if time.monotonic() - last > _STEP_S:
            last = time.monotonic()
            count = before + len(paths)
            yield Progress(id=request.id, done=0, total=0, text=f"{count:,} pictures found", gives_way=True)
    if not paths:
        raise no_pictures(folder)
    return [str(path) for path in sorted(paths, key=natural_key)]


def _failure_of(workspace: Workspace, path: str) -> PictureFailure | None:
    try:
        workspace.pictures.reader.check_head(path)
    except StudioError as error:
        return PictureFailure(path=path, message=error.message, hint=error.hint)
    return None


def _listed(
    request: ListPictures, paths: tuple[str, ...], should_stop: ShouldStop
) -> Generator[Progress, None, list[ListedPicture]]:
    pictures: list[ListedPicture] = []
    last = time.monotonic()
    for path in paths:
        # A file that has disappeared meanwhile stays listed; opening it reports the error.
        key = file_key(path) or path
        pictures.append(ListedPicture(key, described(path)[0], path))
        if should_stop():
            raise Stopped
        if time.monotonic() - last > _STEP_S:  # On a slow network drive, each file takes a while.
            last = time.monotonic()
            text = f"{len(pictures):,} of {len(paths):,} pictures listed"
            yield Progress(id=request.id, done=len(pictures), total=len(paths), text=text, gives_way=True)
    return pictures


@handles(CheckPictures)
def check_pictures(
    workspace: Workspace, request: CheckPictures, should_stop: ShouldStop
) -> Generator[Progress, None, CheckedPictures]:
    """Check one file after another, yielding often to more urgent requests."""
    failures: list[PictureFailure] = []
    sha256: dict[str, str] = {}
    total, last = len(request.images), time.monotonic()
    for done, key in enumerate(request.images):
        if should_stop():
            raise Stopped
        if request.decodes or time.monotonic() - last > _STEP_S:
            last = time.monotonic()
            text = f"Checking pictures: {done:,} of {total:,}"
            yield Progress(id=request.id, done=done, total=total, text=text)
        try:
            known = workspace.pictures.source(key)
        except StudioError:
            continue  # The picture was closed.
        source = known.source
        if not isinstance(source, str) or known.retouches:
            continue
        try:
            if not request.decodes:
                workspace.pictures.reader.check_head(source)
            elif workspace.pictures.at_hand(key) is None:
                workspace.pictures.reader.decode(source, known.name, THUMBNAIL_PX, known.view)
            if request.with_sha256:
                sha256[key] = _sha256(source)
        except StudioError as error:
            failures.append(PictureFailure(path=source, message=error.message, hint=error.hint, key=key))
    return CheckedPictures(failures=tuple(failures), sha256=sha256)


def _sha256(path: str) -> str:
    file = file_of(path)
    try:
        return digest(file)
    except OSError as error:
        raise StudioError(f"“{file.name}” cannot be read: {system_reason(error)}.") from error


@handles(ShowPicture)
def show_picture(
    workspace: Workspace, request: ShowPicture, _should_stop: ShouldStop
) -> ImageInfo | PictureFailure:
    """Decode a listed picture; reopen it if its file has changed or for another view of it."""
    key, source = request.image, workspace.pictures.source(request.image)
    view = source.view if request.view is None else request.view
    try:
        if source.retouches or (view == source.view and not workspace.pictures.is_changed(key)):
            return _info(workspace.checked_picture(key))
        picture = workspace.open_picture(source.source, source.name, view)
    except StudioError as error:
        return _no_picture(key, source, error)
    if picture.key != key:
        workspace.close_pictures([key])
    return _info(picture)


@handles(Thumbnail)
def thumbnail(
    workspace: Workspace, request: Thumbnail, _should_stop: ShouldStop
) -> ThumbnailPixels | PictureFailure:
    """Decode a listed picture at the requested size."""
    key = request.image
    kept = workspace.pictures.at_hand(key)
    if kept is not None:
        return ThumbnailPixels(image=key, pixels=reduced(kept.pixels, request.longest_px))
    source = workspace.pictures.source(key)
    if source.retouches:
        return ThumbnailPixels(image=key, pixels=workspace.picture(key).reduced(request.longest_px))
    try:
        picture = workspace.pictures.reader.decode(source.source, source.name, request.longest_px, source.view)
    except StudioError as error:
        return _no_picture(key, source, error)
    return ThumbnailPixels(image=key, pixels=picture.pixels)


def _no_picture(key: str, source: PictureSource, error: StudioError) -> PictureFailure:
    path = source.source if isinstance(source.source, str) else ""
    return PictureFailure(path=path, message=error.message, hint=error.hint, key=key)


@handles(OpenImage)
def open_image(workspace: Workspace, request: OpenImage, _should_stop: ShouldStop) -> ImageInfo:
    """Decode a picture and keep it."""
    opened = workspace.open_picture(request.data or request.path, request.name)
    return _info(replace(workspace.picture(opened.key), key=opened.key, path=opened.path))


@handles(OpenRetouched)
def open_retouched(workspace: Workspace, request: OpenRetouched, _should_stop: ShouldStop) -> ImageInfo:
    """Make a picture of its own of an opened one with changes."""
    picture = workspace.pictures.retouched(request.image, request.retouches, request.name)
    source = PictureSource("", picture.name, of=picture_of(request.image), retouches=request.retouches)
    workspace.pictures.know({picture.key: source})
    return _info(picture)


@handles(SavePicture)
def save_picture(workspace: Workspace, request: SavePicture, _should_stop: ShouldStop) -> SavedPicture:
    """Write a picture as PNG, which loses nothing of its 8 bits."""
    path = Path(request.path)
    checked_ending(path, (".png",), "A picture")
    pixels = workspace.picture(request.image).to_pil()
    with written_whole(path) as stream:
        pixels.save(stream, "PNG")
    return SavedPicture(path=str(path))


def _info(picture: DecodedImage) -> ImageInfo:
    return ImageInfo(
        key=picture.key,
        name=picture.name,
        path=picture.path,
        size=picture.size,
        notes=picture.notes,
        preview=picture.reduced(PREVIEW_PX),
        thumbnail=picture.reduced(THUMBNAIL_PX),
        frames=picture.frames,
        bands=picture.bands,
        view=picture.view,
    )


@handles(RestorePictures)
def restore_pictures(workspace: Workspace, request: RestorePictures, _should_stop: ShouldStop) -> None:
    """Register the pictures that the previous engine knew."""
    workspace.pictures.know(request.sources)


@handles(CloseImage)
def close_image(workspace: Workspace, request: CloseImage, _should_stop: ShouldStop) -> None:
    """Close pictures, and forget all cached results about them."""
    workspace.close_pictures(request.images)
    if not workspace.pictures.sources:
        hand_back_freed_memory()
