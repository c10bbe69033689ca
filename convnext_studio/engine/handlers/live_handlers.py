"""The handler that takes in the frames of live sources."""

from convnext_studio.decoding.images import DecodedImage
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.protocol.live import ShowFrame


@handles(ShowFrame)
def show_frame(workspace: Workspace, request: ShowFrame, _should_stop: ShouldStop) -> None:
    """Keep a frame, and forget earlier ones with all results about them."""
    if request.forgotten:
        workspace.close_pictures(request.forgotten)
    for key in (request.key, request.first):
        if key:
            workspace.pictures.keep_frame(
                DecodedImage(
                    key=key,
                    name=request.name,
                    path="",
                    pixels=request.pixels,
                    notes=(),
                    values=request.values,
                )
            )
