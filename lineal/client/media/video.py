"""Films: files as they are, and arrays as gif, mp4 or webm."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import is_array, to_numpy, to_uint8
from lineal.client.media.base import Kept, Media, is_path, need, read, regular, text
from lineal.client.media.formats import HEAD_BYTES, video_format
from lineal.core.errors import InvalidArgument

MAX_BYTES = 2 << 30
DEFAULT_FPS = 4
_CODECS = {"mp4": "libx264", "webm": "libvpx-vp9"}


class Video(Media):
    """A film. A file is kept as it is (mp4, webm, ogg or gif, known by its bytes).

    Arrays are time × channel × height × width (or channels last), as uint8, or as numbers by the rule of Image, for
    the whole film at once; with a batch before, the films are shown side by side. Gif, the default, needs Pillow;
    mp4 and webm need PyAV, are smaller, and get an even width and height by repeating the last row or column.
    """

    kind: ClassVar[str] = "video"
    type: ClassVar[str] = "video-file"

    def __init__(
        self, data_or_path: Any, caption: str | None = None, fps: float | None = None, format: str | None = None
    ) -> None:
        """`fps`: frames a second, 4 unless given. `format`: gif, mp4 or webm. Raises invalid.*."""
        self.caption = text(caption, "a film's caption")
        self._shape: dict[str, Any] = {}
        if is_path(data_or_path):
            path = regular(data_or_path)
            self._keep(path, read(path, HEAD_BYTES), path.name)
        elif hasattr(data_or_path, "read"):
            content = data_or_path.read()
            if not isinstance(content, bytes):
                raise InvalidArgument("an open file with a film must be open for bytes, not for text")
            self._keep(content, content[:HEAD_BYTES], "what was read")
        else:
            self._encode(data_or_path, _checked_fps(fps), format or "gif")

    def _keep(self, source: bytes | Path, head: bytes, name: str) -> None:
        form = video_format(head)
        if form is None:
            raise InvalidArgument(f"{name} is no film that browsers show; make it mp4, webm or gif")
        self._source, self._extension = source, form

    def _encode(self, data: Any, fps: Fraction, form: str) -> None:
        if form not in ("gif", *_CODECS):
            raise InvalidArgument(f"the format {form!r} is not possible; use gif, mp4 or webm")
        if not is_array(data):
            raise InvalidArgument(f"a film can't be made of {type(data).__name__}; give a path or an array")
        frames, stretched = _frames(data)
        count, height, width = frames.shape[:3]
        self._source = _gif(frames, fps) if form == "gif" else _film(frames, fps, form)
        self._extension = form
        self._shape = {"width": width, "height": height, "frames": count, "fps": float(fps)}
        self._shape["stretched"] = list(stretched) if stretched else None

    def _facts(self, folder: Path, kept: Kept, key: str, step: int) -> dict[str, Any]:
        return {"format": self._extension, "caption": self.caption} | self._shape


def _checked_fps(fps: float | None) -> Fraction:
    try:
        checked = Fraction(fps if fps is not None else DEFAULT_FPS).limit_denominator(1000)
        if 0 < checked <= 240:
            return checked
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgument(f"fps must be a number over 0 and up to 240, not {fps!r}")


def _frames(data: Any) -> tuple[Any, tuple[float, float] | None]:
    """Time × height × width × 3 of uint8, and where the brightness was stretched, from what to what."""
    import numpy as np

    array = to_numpy(data)
    if array.nbytes > MAX_BYTES:
        raise InvalidArgument(f"a film of {array.nbytes:,} bytes is too large to encode here; make it smaller")
    if array.ndim == 5:
        array = _side_by_side(_channels_last(array))
    elif array.ndim == 4:
        array = _channels_last(array)
    else:
        raise InvalidArgument(f"a film is time × channel × height × width, not of shape {array.shape}")
    pixels, stretched = to_uint8(array, "the film")
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return np.ascontiguousarray(pixels[..., :3]), stretched


def _channels_last(array: Any) -> Any:
    import numpy as np

    if array.shape[-3] in (1, 3, 4):
        return np.moveaxis(array, -3, -1)
    if array.shape[-1] in (1, 3, 4):
        return array
    raise InvalidArgument(f"a film of shape {array.shape} has no 1, 3 or 4 channels after the time or at the end")


def _side_by_side(films: Any) -> Any:
    """One film of many: as many rows as divide their number, nearly as many as columns."""
    many, count, height, width, channels = films.shape
    rows = next(rows for rows in range(max(1, math.isqrt(many)), 0, -1) if many % rows == 0)
    grid = films.reshape(rows, many // rows, count, height, width, channels).transpose(2, 0, 3, 1, 4, 5)
    return grid.reshape(count, rows * height, (many // rows) * width, channels)


def _gif(frames: Any, fps: Fraction) -> bytes:
    pillow = need("PIL.Image", "pillow", "a film as gif")
    first, *others = [pillow.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    duration_ms = max(20, round(1000 / fps))  # browsers slow down what is faster
    first.save(out, format="GIF", save_all=True, append_images=others, duration=duration_ms, loop=0)
    return out.getvalue()


def _film(frames: Any, fps: Fraction, form: str) -> bytes:
    import numpy as np

    av = need("av", "av", f"a film as {form}")
    _, height, width, _ = frames.shape
    if height % 2 or width % 2:
        frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(_CODECS[form], rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()
