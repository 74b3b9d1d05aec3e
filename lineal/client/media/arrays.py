"""Arrays of other libraries: whose a value is, decided without importing anything, and its numbers in numpy."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lineal.core.errors import InvalidArgument

if TYPE_CHECKING:
    import numpy as np

ARRAYS = frozenset({"numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy"})
_NEARLY = 1e-3


def owners(value: Any) -> frozenset[str]:
    """The libraries whose classes `value` is of: `{"torch", "builtins"}` for a tensor."""
    kind: Any = type(value)
    return _owners(kind)


@lru_cache(maxsize=512)
def _owners(kind: Any) -> frozenset[str]:
    return frozenset(str(above.__module__).partition(".")[0] for above in kind.__mro__)


def is_array(value: object) -> bool:
    """Whether it is an array or a scalar of numpy, torch, jax, tensorflow or cupy."""
    return not ARRAYS.isdisjoint(owners(value)) and hasattr(value, "dtype") and hasattr(value, "shape")


def is_masked(value: Any) -> bool:
    """Whether it is an array of numpy's of which some numbers don't count; these become NaN."""
    return hasattr(value, "filled") and hasattr(value, "mask")


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """The numbers in numpy, on the CPU; types that numpy lacks (bfloat16, float8) become float32."""
    import numpy as np

    whose = owners(value)
    if "torch" in whose:
        value = value.detach().cpu()
        if value.layout is not None and "sparse" in str(value.layout):
            value = value.to_dense()
        try:
            return np.asarray(value.numpy())
        except TypeError:
            return np.asarray(value.float().numpy())
    if "cupy" in whose:
        value = value.get()
    if is_masked(value):
        value = value.astype(np.float64).filled(np.nan)
    array = np.asarray(value)
    if array.dtype.name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return array.astype(np.float32)
    return array


def unwrapped(value: bool | int | float | str) -> bool | int | float | str:
    """The value as Python's own type, whatever class of these it is of (an enum's, numpy's float64)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def check_finite(array: np.ndarray[Any, Any], what: str) -> None:
    """Raises invalid.argument unless every number is finite."""
    import numpy as np

    if array.dtype.kind not in "biuf":
        raise InvalidArgument(f"{what} must be of numbers, not {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidArgument(f"{what} holds NaN or infinity; replace them first, as by numpy.nan_to_num")


def to_uint8(array: np.ndarray[Any, Any], what: str) -> tuple[np.ndarray[Any, Any], tuple[float, float] | None]:
    """The brightnesses as 0–255, and the lowest and highest value where they had to be stretched to that.

    uint8 stays; booleans are 0 and 255; floats within 0–1 are multiplied by 255; other numbers within 0–255 are
    rounded; anything else is stretched, so that its lowest value is black and its highest white.
    """
    import numpy as np

    if array.size == 0:
        raise InvalidArgument(f"{what} has no pixels; its shape is {array.shape}")
    if array.dtype == np.uint8:
        return array, None
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255), None
    check_finite(array, what)
    low, high = float(array.min()), float(array.max())
    wide: Any = array.astype(np.float32 if array.dtype.itemsize <= 4 and array.dtype.kind == "f" else np.float64)
    if array.dtype.kind == "f" and low >= -_NEARLY and high <= 1 + _NEARLY:  # what resizing leaves of 0–1
        return np.rint(wide.clip(0, 1) * 255).astype(np.uint8), None
    if low >= 0 and high <= 255:
        return np.rint(wide).astype(np.uint8), None
    span = high / 2 - low / 2
    unit = (wide / 2 - low / 2) / span if span else np.zeros_like(wide)
    return np.rint(unit.clip(0, 1) * 255).astype(np.uint8), (low, high)
