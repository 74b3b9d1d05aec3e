"""Sounds: files as they are, and arrays as WAV."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import check_finite, is_array, owners, to_numpy
from lineal.client.media.base import Kept, Media, check_size, is_path, read, regular, text
from lineal.client.media.formats import HEAD_BYTES, audio_format
from lineal.core.errors import InvalidArgument

MAX_CHANNELS = 16
_WIDTHS = {"uint8": 1, "int16": 2, "int32": 4}


class Audio(Media):
    """A sound. A file is kept as it is (wav, mp3, flac, ogg or m4a, known by its bytes).

    Arrays are frames, or frames × channels (tensors of torch: channels × frames). Floats are from -1 to 1; what is
    louder is cut off, and the stored value then counts it as `clipped`. They become 16 bits; uint8, int16 and int32
    stay what they are.
    """

    kind: ClassVar[str] = "audio"
    type: ClassVar[str] = "audio-file"

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        """`sample_rate`: frames a second; needed for arrays. Raises invalid.*."""
        self.caption = text(caption, "a sound's caption")
        self.sample_rate = sample_rate
        self.clipped = 0
        self._shape: dict[str, Any] = {}
        if is_path(data_or_path):
            self._source = regular(data_or_path)
            form = audio_format(read(self._source, HEAD_BYTES))
            if form is None:
                raise InvalidArgument(f"{self._source.name} is no sound that browsers play; make it wav, mp3 or flac")
            self._extension = form
        else:
            self._encode(data_or_path, sample_rate)

    def _encode(self, data: Any, sample_rate: int | None) -> None:
        try:
            rate = int(sample_rate) if sample_rate is not None else 0
        except (TypeError, ValueError):
            rate = 0
        if not 1 <= rate < 1 << 31:
            raise InvalidArgument("a sound made of numbers needs its sample_rate, such as 44100")
        frames = self._frames(data)
        check_size(frames.nbytes + 44, "a sound")
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(frames.shape[1])
            file.setsampwidth(frames.dtype.itemsize)
            file.setframerate(rate)
            file.writeframes(frames.tobytes())
        self.sample_rate = rate
        self._shape = {"channels": frames.shape[1], "duration_s": frames.shape[0] / rate}
        self._source, self._extension = out.getvalue(), "wav"

    def _frames(self, data: Any) -> Any:
        """Frames × channels of little-endian whole numbers."""
        import numpy as np

        if not is_array(data) and not isinstance(data, list | tuple):
            raise InvalidArgument(f"a sound can't be made of {type(data).__name__}; give a path or an array")
        try:
            array = to_numpy(data) if is_array(data) else np.asarray(data)
        except ValueError:
            raise InvalidArgument("a sound's lists must be of equal length") from None
        if array.ndim == 2 and "torch" in owners(data):
            array = array.T
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size or array.shape[1] > MAX_CHANNELS:
            raise InvalidArgument(
                f"a sound is frames, or frames × channels (at most {MAX_CHANNELS}), not of shape {array.shape}"
            )
        if array.dtype.kind == "f":
            check_finite(array, "a sound")
            self.clipped = int((np.abs(array) > 1).sum())
            array = np.rint(array.clip(-1, 1).astype(np.float64) * 32767).astype(np.int16)
        if array.dtype.name not in _WIDTHS:
            raise InvalidArgument(f"a sound is of floats, uint8, int16 or int32, not of {array.dtype}")
        return array.astype(array.dtype.newbyteorder("<"))

    def _facts(self, folder: Path, kept: Kept, key: str, step: int) -> dict[str, Any]:
        facts = {"format": self._extension, "caption": self.caption, "sample_rate": self.sample_rate}
        return facts | self._shape | {"clipped": self.clipped or None}
