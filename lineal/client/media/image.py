"""Images: files, PIL images, arrays and tensors, and figures of matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import is_array, owners, to_numpy, to_uint8
from lineal.client.media.base import Fetch, Kept, Media, Source, is_path, keep, need, read, regular, text
from lineal.client.media.formats import HEAD_BYTES, image_format, image_size
from lineal.client.media.overlays import check_boxes, check_classes, check_masks
from lineal.core.errors import InvalidArgument

MAX_PIXELS = 1 << 27
_PNG_LEVEL = 4  # of photographs: a third of the time of Pillow's own choice, and 1 % more bytes
_WRITTEN = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP"}
_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_MODES = {
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA"},
    "GIF": {"L", "P", "RGB", "RGBA"},
    "WEBP": {"L", "RGB", "RGBA"},
    "JPEG": {"L", "RGB"},
    "BMP": {"L", "RGB"},
}


class Image(Media):
    """A picture with a caption, and boxes and masks over it.

    A file is kept as it is (png, jpg, gif, webp or bmp, known by its bytes, not by its name). Arrays are HW, HWC or
    CHW with 1, 3 or 4 channels (of numpy's, HWC goes first where both fit; of torch's, CHW). Brightness: uint8
    stays, floats within 0–1 are multiplied by 255, other numbers within 0–255 are rounded, all else is stretched
    from the lowest value to the highest, which the stored value then names as `stretched`. NaN is refused. SVG is
    refused, since it can carry script; log it as Html, which is shown in a sandboxed frame.
    """

    kind: ClassVar[str] = "image"
    type: ClassVar[str] = "image-file"

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: object = None,
        classes: Any = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
    ) -> None:
        """`mode` is PIL's, such as "L" or "RGB". `file_type` is png unless a file is given. Raises invalid.*.

        `grouping` is there for scripts written for others and does nothing.
        """
        self.caption = text(caption, "an image's caption")
        self.boxes = check_boxes(boxes)
        self._masks: dict[str, tuple[Source, dict[str, str]]] = {**check_masks(masks)}
        self.classes = check_classes(classes)
        self.stretched: tuple[float, float] | None = None
        if file_type is not None and file_type not in _WRITTEN:
            raise InvalidArgument(f"file_type {file_type!r} is not possible; use png, jpg, gif, webp or bmp")
        if isinstance(data_or_path, Image):
            self._source, self._extension = data_or_path._source, data_or_path._extension
            self.stretched = data_or_path.stretched
        elif is_path(data_or_path):
            self._open(data_or_path, mode, file_type)
        elif is_figure(data_or_path):
            self._source, self._extension = figure_png(data_or_path), "png"
            self._convert(mode, file_type or "png")
        else:
            self._encode(self._picture(data_or_path), mode, file_type or "png")

    @classmethod
    def from_value(cls, value: Mapping[str, Any], fetch: Fetch) -> Image:
        """The image that a stored value stands for; its file is fetched when it is first needed."""
        image = cls.__new__(cls)
        image._source, image._extension = _later(value, fetch), str(value.get("format", "png"))
        image.caption, image.boxes = value.get("caption"), value.get("boxes", {})
        image.classes = value.get("classes", {})
        image._masks = {
            name: (_later(mask, fetch), mask["class_labels"]) for name, mask in value.get("masks", {}).items()
        }
        stretched = value.get("stretched")
        image.stretched = (stretched[0], stretched[1]) if stretched else None
        return image

    @property
    def path(self) -> Path | None:
        """The file that it is read from, if it is read from one."""
        content = self._content()
        return content if isinstance(content, Path) else None

    @property
    def image(self) -> Any:
        """The PIL image."""
        return need("PIL.Image", "pillow", "opening an image").open(io.BytesIO(self._bytes()))

    # ---- reading what is given -------------------------------------------------------------------------------

    def _open(self, path: Any, mode: str | None, file_type: str | None) -> None:
        found = regular(path)
        form = _checked_format(found)
        self._source, self._extension = found, form
        self._convert(mode, file_type or form)

    def _convert(self, mode: str | None, file_type: str) -> None:
        if mode is not None or file_type.replace("jpeg", "jpg") != self._extension:
            with self.image as picture:
                self._encode(picture, mode, file_type)

    def _picture(self, data: Any) -> Any:
        """The PIL image of what was given."""
        whose = owners(data)
        pillow = need("PIL.Image", "pillow", "an image made of data")
        if "PIL" in whose and hasattr(data, "mode"):
            if data.mode != "F" and not data.mode.startswith("I"):
                return data
            data = to_numpy(data)
        elif isinstance(data, list | tuple) and data and not is_array(data[0]):
            data = _array_of_lists(data)
        elif not is_array(data):
            raise InvalidArgument(
                f"an image can't be made of {type(data).__name__}; give a path, an array, a PIL image or a figure"
            )
        pixels, self.stretched = to_uint8(_channels_last(data), "the image")
        return pillow.fromarray(pixels)

    def _encode(self, picture: Any, mode: str | None, file_type: str) -> None:
        check_pixels(picture.size)
        form = _WRITTEN[file_type]
        out = io.BytesIO()
        try:
            if mode is not None and picture.mode != mode:
                picture = picture.convert(mode)
            if picture.mode not in _MODES[form]:
                keeps_alpha = picture.mode in _ALPHA and "RGBA" in _MODES[form]
                picture = picture.convert("RGBA" if keeps_alpha else "RGB")
            picture.save(out, format=form, **({"compress_level": _PNG_LEVEL} if form == "PNG" else {}))
        except (OSError, ValueError, KeyError) as problem:
            raise InvalidArgument(f"the image can't be written as {file_type}: {problem}") from None
        self._source, self._extension = out.getvalue(), file_type.replace("jpeg", "jpg")

    # ---- storing ---------------------------------------------------------------------------------------------

    def _facts(self, folder: Path, kept: Kept, key: str, step: int) -> dict[str, Any]:
        with (folder / kept.path).open("rb") as file:
            form = image_format(file.read(HEAD_BYTES))
            size = image_size(file, form) if form else None
        if form != self._extension or size is None:
            raise InvalidArgument(f"{key!r}: the image file is broken, or was changed after it was given")
        check_pixels(size)
        facts = {"format": form, "width": size[0], "height": size[1], "caption": self.caption}
        facts["stretched"] = list(self.stretched) if self.stretched else None
        facts["boxes"] = self.boxes or None
        facts["classes"] = self.classes or None
        facts["masks"] = {name: self._bind_mask(name, folder, key, step) for name in self._masks} or None
        return facts

    def _bind_mask(self, name: str, folder: Path, key: str, step: int) -> dict[str, Any]:
        png, labels = self._masks[name]
        kept = keep(png() if callable(png) else png, folder, "mask", f"{key}_{name}", step, "png")
        return {**kept.value(), "class_labels": labels}


def _later(value: Mapping[str, Any], fetch: Fetch) -> Callable[[], Path]:
    return lambda: fetch(value["path"])


def check_pixels(size: tuple[int, int]) -> None:
    """Raises invalid.argument for an image too large to be shown."""
    if size[0] * size[1] > MAX_PIXELS:
        raise InvalidArgument(
            f"an image of {size[0]} × {size[1]} pixels is too large to show; make it smaller, or log its file as an "
            "artifact"
        )


def _checked_format(path: Path) -> str:
    form = image_format(read(path, HEAD_BYTES))
    if form == "svg":
        raise InvalidArgument(f"{path.name} is SVG, which can carry script; log it as Html, or as a PNG")
    if form is None:
        raise InvalidArgument(f"{path.name} is no image that browsers show; make it png, jpg, gif, webp or bmp")
    return form


def is_figure(value: object) -> bool:
    """Whether it is a figure of matplotlib, a part of one, or pyplot, which has a current one."""
    return "matplotlib" in owners(value) or getattr(value, "__name__", None) == "matplotlib.pyplot"


def figure_png(figure: Any) -> bytes:
    """The PNG of a figure, of pyplot's current one, or of the figure that some axes are in."""
    if hasattr(figure, "gcf"):
        figure = figure.gcf()
    elif not hasattr(figure, "savefig"):
        figure = getattr(figure, "figure", None)
    if figure is None:
        raise InvalidArgument("that belongs to no figure of matplotlib; give the figure")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _array_of_lists(data: Any) -> Any:
    import numpy as np

    try:
        return np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument("an image can't be made of these lists; give rows of equal length") from None


def _channels_last(data: Any) -> Any:
    """The numbers as HW or HWC, contiguous."""
    import numpy as np

    array = to_numpy(data)
    count = 1
    for length in array.shape:
        count *= length
    if count > 4 * MAX_PIXELS:
        raise InvalidArgument(f"an image of shape {array.shape} is too large to show; make it smaller")
    if array.ndim == 3:
        first, last = array.shape[0] in (1, 3, 4), array.shape[2] in (1, 3, 4)
        if first and (not last or "torch" in owners(data)):
            array = array.transpose(1, 2, 0)
        elif not last:
            raise InvalidArgument(f"an image of shape {array.shape} has no 1, 3 or 4 channels at either end")
        if array.shape[2] == 1:
            array = array[:, :, 0]
    elif array.ndim != 2:
        many = "; log a list of images" if array.ndim == 4 else ""
        raise InvalidArgument(f"an image is HW, HWC or CHW, not of shape {array.shape}{many}")
    return np.ascontiguousarray(array)
