"""Everything that an object stores, as bytes: reachable buffers, pickles and files."""

from __future__ import annotations

import gc
import io
import pickle
import struct
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from skunlearn._unlearning.stopwatch import Seconds

_STOP = (type, types.ModuleType, types.CodeType, types.FrameType, types.BuiltinFunctionType)
_DESCRIPTORS = (property, staticmethod, classmethod, types.GetSetDescriptorType)


def pickles(model: Any) -> Iterator[tuple[str, bytes]]:
    """Yield what pickle and joblib write for a model."""
    yield "the pickle", pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    yield "the joblib dump", buffer.getvalue()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the content of every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"the file {path.relative_to(folder)}", path.read_bytes()


def buffers(model: Any) -> Iterator[tuple[str, bytes]]:
    """Yield the memory of everything reachable from a model's attributes and its class's."""
    for where, thing in _reachable(model):
        content = _content(thing)
        if content:
            yield where, content


def _reachable(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield everything reachable from a model's attributes and its class's.

    Arrays are followed to the memory they are views of; modules and other classes are not entered.
    """
    seen: dict[int, Any] = {}
    pending = [(f"attribute `{name}`", value) for name, value in vars(model).items()]
    for cls in type(model).__mro__:
        if cls.__module__.partition(".")[0] not in ("builtins", "sklearn"):
            pending += [
                (f"class attribute `{name}`", value)
                for name, value in vars(cls).items()
                if not name.startswith("__") and not isinstance(value, _DESCRIPTORS)
            ]
    while pending:
        where, thing = pending.pop()
        if isinstance(thing, _STOP) or thing is model or id(thing) in seen:
            continue
        seen[id(thing)] = thing
        yield where, thing
        pending += [(where, part) for part in _parts(thing)]


def _content(thing: Any) -> bytes:
    if isinstance(thing, str):
        return thing.encode("utf-8", "surrogatepass")
    if isinstance(thing, bool) or thing is None:
        return b""
    if isinstance(thing, int):
        return thing.to_bytes(8, "little", signed=True) if -(1 << 63) <= thing < 1 << 63 else b""
    if isinstance(thing, float):
        return struct.pack("<d", thing)
    if isinstance(thing, np.ndarray):
        return b"" if thing.dtype.hasobject else thing.tobytes()
    try:
        return bytes(memoryview(thing))
    except (TypeError, ValueError, BufferError):
        return b""


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, types.FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or () if cell != types.CellType()]
        return [*cells, *(thing.__defaults__ or ()), vars(thing)]
    if isinstance(thing, np.ndarray):
        items = thing.ravel().tolist() if thing.dtype == object else []
        return items if thing.base is None else [*items, thing.base]
    return gc.get_referents(thing)


def floats(model: Any) -> dict[bytes, str]:
    """Map every float64 reachable from a model to where it is found.

    Round numbers are left out, they say little, and so are measured times and what is no float by
    its size or by the dtype of its array.
    """
    found: dict[bytes, str] = {}
    for where, thing in _reachable(model):
        if isinstance(thing, np.ndarray) and thing.dtype.kind in "biuV":
            continue
        if isinstance(thing, Seconds):
            continue
        content = _content(thing)
        if content and len(content) % 8 == 0:
            words = np.frombuffer(content, dtype="<u8")
            size = np.abs(words.view("<f8"))
            telling = ((words & 0xFFFFFF) != 0) & (size > 1e-100) & (size < 1e100)
            found.update((word.tobytes(), where) for word in words[telling])
    return found
