"""The wire form of a store: one request and one answer per method of `Store`, derived from its signature.

A message is four frames: MAGIC, request id (16 bytes), header, body. The header is typed msgpack; its arrays are
references into the body, where their bytes lie one after the other, each at a multiple of 8. Nothing is unpickled: a
header that does not fit the signature, a type that is not allowed, or a reference beyond the body raises `BadMessage`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, Union, get_origin, get_type_hints

import msgspec
import numpy as np

from rlscout.storage import Store

T = TypeVar("T")

MAGIC = b"rlscout\x01"  # the last byte is the version of the protocol
MAX_FRAME = 1 << 30  # bytes; longer frames end the connection

_ALIGN = 8
_DTYPES = frozenset({"<u8", "<u2", "<i2", "<i4", "<i8", "<f4"})
_LOCAL_METHODS = frozenset({"close"})


class BadMessage(Exception):  # noqa: N818
    """What came over the wire is no message of this protocol; the text says why."""


class ArrayReference(msgspec.Struct, array_like=True, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    offset: int  # in the body, in bytes


class Result(msgspec.Struct, Generic[T], tag="result", frozen=True):
    value: T


class Failure(msgspec.Struct, tag="failure", frozen=True):
    kind: Literal["value", "store"]  # raised at the client as ValueError or StoreError
    text: str


def encode(message: object) -> tuple[bytes, bytes]:
    """Header and body."""
    body = bytearray()

    def reference(array: object) -> ArrayReference:
        if not isinstance(array, np.ndarray) or array.dtype.str not in _DTYPES:
            kind = f"array of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(f"{kind} given; a store takes plain Python values and arrays of {sorted(_DTYPES)}")
        body.extend(bytes(-len(body) % _ALIGN))
        made = ArrayReference(array.dtype.str, array.shape, len(body))
        body.extend(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        return made

    return msgspec.msgpack.encode(message, enc_hook=reference), bytes(body)


class Decoder:
    """Reads header and body as `kind`. Not for several threads at once."""

    def __init__(self, kind: Any) -> None:
        self._body = b""
        self._decoder = msgspec.msgpack.Decoder(kind, dec_hook=self._array)

    def __call__(self, header: bytes, body: bytes) -> Any:
        self._body = body
        try:
            return self._decoder.decode(header)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadMessage(f"the message does not fit the protocol: {error}") from error
        finally:
            self._body = b""

    def _array(self, kind: Any, value: object) -> Any:
        """A copy of its own, aligned and writable, of the bytes that the reference names."""
        assert get_origin(kind) is np.ndarray or kind is np.ndarray
        found = msgspec.convert(value, ArrayReference)
        if found.dtype not in _DTYPES or len(found.shape) > 2 or min(found.shape, default=-1) < 0:
            raise msgspec.ValidationError(f"array of type {found.dtype!r:.20} and shape {found.shape!r:.80}")
        count = math.prod(found.shape)
        if not 0 <= found.offset <= found.offset + count * np.dtype(found.dtype).itemsize <= len(self._body):
            raise msgspec.ValidationError(f"array at {found.offset} with shape {found.shape} is beyond the body")
        return np.frombuffer(self._body, found.dtype, count, found.offset).reshape(found.shape).copy()


def _methods() -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(Store, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_") and name not in _LOCAL_METHODS}


def _request(name: str, method: Callable[..., Any]) -> type[msgspec.Struct]:
    """A struct with the parameters of the method as its fields."""
    hints = get_type_hints(method)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    fields = [
        (p.name, hints[p.name]) if p.default is p.empty else (p.name, hints[p.name], p.default) for p in parameters
    ]
    return msgspec.defstruct(name, fields, tag=name, frozen=True, forbid_unknown_fields=True)


REQUESTS: dict[str, type[msgspec.Struct]] = {name: _request(name, method) for name, method in _methods().items()}


def request_decoder() -> Decoder:
    return Decoder(Union[tuple(REQUESTS.values())])  # noqa: UP007


def answer_decoder(name: str) -> Decoder:
    """For the answers to the method `name`."""
    returned = get_type_hints(_methods()[name])["return"]
    return Decoder(Union[Failure, Result[returned]])  # type: ignore[valid-type]  # noqa: UP007
