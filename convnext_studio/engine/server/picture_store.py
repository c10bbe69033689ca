"""The opened pictures: where each comes from, and those whose pixels are at hand."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from msgspec import structs
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.common.errors import StudioError
from convnext_studio.common.retouches import Retouch, retouched_key
from convnext_studio.decoding.fitted_bands import fitted_bands
from convnext_studio.decoding.images import DecodedImage, PictureReader, picture_key
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.decoding.retouched_images import with_retouches
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.pictures import PictureSource, is_needed


class PictureStore:
    """Any number of pictures, which are decoded when they are needed; the networks that are open share it.

    A picture's key changes with its file; that of a pasted one is a digest of its bytes. Methods that take a
    key take it in any framing.

    Parameters
    ----------
    held_bytes
        The size of the cache for decoded pictures, and of that for all bands of those of many bands.
    reader
        Decodes pictures, in this process or in a separate one.

    Attributes
    ----------
    reader
        The picture reader.
    """

    def __init__(self, held_bytes: int, reader: PictureReader) -> None:
        self.reader = reader
        self._sources: dict[str, PictureSource] = {}
        self._decoded: ByteCache[DecodedImage] = ByteCache(held_bytes, kept_bytes)
        self._frames: dict[str, DecodedImage] = {}  # Of live sources: they cannot be decoded again.
        self._bands: ByteCache[NDArray[np.float32]] = ByteCache(held_bytes, kept_bytes)

    @property
    def caches(self) -> tuple[ByteCache[Any], ...]:
        """The caches for decoded pictures and for bands."""
        return self._decoded, self._bands

    @property
    def held_bytes(self) -> int:
        """The size of the decoded pictures at hand."""
        return self._decoded.held_bytes

    @property
    def sources(self) -> Mapping[str, PictureSource]:
        """The known pictures by their keys."""
        return self._sources

    def know(self, sources: Mapping[str, PictureSource]) -> None:
        """Register pictures by their keys, without decoding them."""
        self._sources.update(sources)

    def source(self, key: str) -> PictureSource:
        """Return the source of a picture; raise StudioError if it is not open."""
        key = picture_of(key)
        if key not in self._sources:
            raise StudioError("This picture is no longer open.", "Open it again.")
        return self._sources[key]

    def keep(self, picture: DecodedImage, source: str | bytes, view: PictureView) -> None:
        """Keep a picture that was decoded from a file or from its bytes."""
        path, data = ("", source) if isinstance(source, bytes) else (source, b"")
        self._sources[picture.key] = PictureSource(path, picture.name, data, view)
        self._decoded.put(picture.key, picture)

    def keep_frame(self, picture: DecodedImage) -> None:
        """Keep a picture that has no file, until it is closed."""
        self._sources[picture.key] = PictureSource("", picture.name)
        self._frames[picture.key] = picture

    def close(self, keys: Collection[str]) -> None:
        """Forget pictures."""
        for key in keys:
            self._frames.pop(key, None)
            if not is_needed(key, self._sources, keys):
                self._sources.pop(key, None)
            self._decoded.forget(key)
            self._bands.forget(key)

    def picture(self, key: str) -> DecodedImage:
        """Return an opened picture, decoding it if its pixels are not cached.

        Raises
        ------
        StudioError
            If it is no longer open, cannot be read, or its file has changed.
        """
        key = picture_of(key)
        kept = self.at_hand(key)
        if kept is not None:
            return kept
        source = self.source(key)
        if source.retouches:
            return self.retouched(source.of, source.retouches, source.name)
        if self.is_changed(key):
            raise StudioError(f"“{source.name}” has changed since it was opened.", "Open it again.")
        picture = replace(self.reader.decode(source.source, source.name, view=source.view), key=key)
        self._decoded.put(key, picture)
        return picture

    def retouched(self, key: str, retouches: tuple[Retouch, ...], name: str = "") -> DecodedImage:
        """Return an opened picture with changes, under a key of its own.

        Raises
        ------
        StudioError
            If the picture, or one of which parts are pasted, cannot be read.
        """
        key = picture_of(key)
        own_key = retouched_key(key, retouches)
        kept = self._decoded.get(own_key)
        if kept is not None:
            return replace(kept, name=name or kept.name)
        made = self.retouched_now(key, retouches)
        changed = replace(made, key=own_key, name=name or made.name)
        self._decoded.put(own_key, changed)
        return changed

    def retouched_now(self, key: str, retouches: tuple[Retouch, ...]) -> DecodedImage:
        """Return an opened picture with changes, without keeping it; raises as `retouched` does."""
        return with_retouches(self.picture(key), retouches, lambda other: self.picture(other).pixels)

    def at_hand(self, key: str) -> DecodedImage | None:
        """Return a picture if its pixels are cached, or None; nothing is decoded."""
        key = picture_of(key)
        return self._frames.get(key) or self._decoded.get(key)

    def is_changed(self, key: str) -> bool:
        """Whether a picture's file has changed since it was opened; False if the file is gone."""
        source = self.source(key)
        if source.data or source.retouches or picture_of(key) in self._frames:
            return False
        return picture_key(source.path, source.view) not in ("", picture_of(key))

    def bands(self, picture: DecodedImage, channels: int) -> NDArray[np.float32]:
        """Return the values of a picture's bands (bands, H, W) for a network of so many channels.

        Raises
        ------
        StudioError
            If the picture is retouched, cannot be read, or its bands do not fit.
        """
        if picture.is_retouched:
            raise StudioError(
                f"“{picture.name}” cannot be changed for a network of {channels} channels.",
                "Only pictures that are shown in colours or grey can be.",
            )
        known = self._bands.get(picture.key)
        if known is None:
            known = self._all_bands(picture)
            self._bands.put(picture.key, known)
        return fitted_bands(known, picture.view, channels, picture.name)

    def _all_bands(self, picture: DecodedImage) -> NDArray[np.float32]:
        if picture.key in self._frames:
            return (
                picture.pixels.astype(np.float32) / np.float32(255)
                if picture.values is None
                else picture.values
            )
        source = self.source(picture.key)
        view = structs.replace(source.view, takes_all=True)
        known = self.reader.decode(source.source, source.name, view=view).values
        assert known is not None  # The view takes all.
        return known
