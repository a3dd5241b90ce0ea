"""The store behind a server: every call is one request, sent again until it is answered or the time is up.

A resend is harmless, as every write is idempotent; it carries the same request id, so that a server that did the work
answers from memory. After a restart of the server a resend may report games as known that its first sending stored.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import zmq

from rlscout.storage import Store, StoreError
from rlscout.storage.keys import check_address, is_ipv6, is_loopback, use_client_keys
from rlscout.storage.messages import MAGIC, MAX_FRAME, REQUESTS, BadMessage, Decoder, Failure, answer_decoder, encode

FIRST_WAIT = 1.0  # seconds until the first resend, then twice as long each time
LONGEST_WAIT = 8.0
VANISHED_SECONDS = 20  # after which a host that does not answer at all is given up, and connected to again
LAST_SECONDS = 2.0  # for an answer, once the caller is asked to stop
SLICE = 0.2  # how soon that is noticed


def connect(
    address: str, game: str | None, keys: Path | None, timeout: float, stopping: threading.Event | None
) -> Store:
    """ValueError: no such address, it needs keys, or the server holds another game. StoreError: no answer."""
    store = RemoteStore(address, keys, timeout, stopping)
    try:
        held = cast(Store, store).ping().game
        if game is not None and held != game:
            raise ValueError(f"the server at {address} holds the game {held}, not {game}")
    except BaseException:
        store.close()
        raise
    return cast(Store, store)


class RemoteStore:
    """`Store` over a socket; its methods are added below, one for each request of the protocol."""

    def __init__(
        self, address: str, keys: Path | None, timeout: float, stopping: threading.Event | None = None
    ) -> None:
        check_address(address)
        if keys is None and not is_loopback(address):
            raise ValueError(f"{address} is not this machine: talking to it needs CURVE keys (`rlscout keys`)")
        self._address, self._keys, self._timeout = address, keys, timeout
        self._stopping = stopping or threading.Event()
        self._lock = threading.Lock()
        self._context = zmq.Context()
        self._decoders: dict[str, Decoder] = {}
        self._socket: zmq.Socket[bytes] | None = None
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing else may be called after."""
        with self._lock:
            self._context.destroy(linger=0)
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        header, body = encode(REQUESTS[name](*arguments, **named))
        if max(len(header), len(body)) > MAX_FRAME:
            raise ValueError(f"{name}: more than {MAX_FRAME} bytes in one call; give less at once")
        with self._lock:
            if name not in self._decoders:
                self._decoders[name] = answer_decoder(name)
            frames = self._exchange(os.urandom(16), header, body)
            try:
                answer = self._decoders[name](*frames)
            except BadMessage as error:
                raise StoreError(f"{self._address}: {error}") from error
        if isinstance(answer, Failure):
            raise (ValueError if answer.kind == "value" else StoreError)(answer.text)
        return answer.value

    def _exchange(self, request: bytes, header: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Header and body of the first answer to any sending of this request."""
        now = resend = time.monotonic()
        end, wait, hurry = now + self._timeout, FIRST_WAIT, False
        while now < end:
            if self._socket is None:
                raise StoreError(f"{self._address}: this store is closed")
            if now >= resend:
                # Nobody there, or a handshake that failed: then a send would wait for ever.
                with suppress(zmq.Again):
                    self._socket.send_multipart([MAGIC, request, header, body], zmq.NOBLOCK, copy=False)
                resend, wait = now + wait, min(2 * wait, LONGEST_WAIT)
            if not hurry and self._stopping.is_set():
                hurry, end = True, min(end, now + LAST_SECONDS)
            if (answer := self._receive(request, min(resend - now, end - now, SLICE))) is not None:
                return answer
            now = time.monotonic()
        self._connect()
        about_keys = "Or does it want CURVE keys, and none were given?"
        if self._keys:
            about_keys = (
                f"Is the public key of {self._keys / 'client.key'} in the server's clients.pub, "
                f"and {self._keys / 'server.pub'} the server's?"
            )
        raise StoreError(
            f"{self._address}: no answer within {LAST_SECONDS if hurry else self._timeout:g} seconds. "
            f"Is the server running (`rlscout serve`), and at this address? {about_keys}"
        )

    def _receive(self, request: bytes, seconds: float) -> tuple[bytes, bytes] | None:
        """None where nothing came in time. Answers to other requests are dropped."""
        assert self._socket is not None
        end = time.monotonic() + seconds
        while self._socket.poll(max(0, round(1000 * (end - time.monotonic())))):
            frames = self._socket.recv_multipart()
            if len(frames) != 4 or frames[0] != MAGIC:
                raise StoreError(f"{self._address}: what answers there speaks another protocol or version")
            if frames[1] == request:
                return frames[2], frames[3]
        return None

    def _connect(self) -> None:
        """Anew: what was queued on the old connection is dropped. A connection that breaks mends itself."""
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.maxmsgsize = MAX_FRAME
        self._socket.reconnect_ivl_max = 1000  # milliseconds, as the next
        # By the system: heartbeats of ZeroMQ would wait in a server that is stopped for a while, and end it (see QUEUED there).
        self._socket.tcp_keepalive = 1
        self._socket.tcp_keepalive_idle = self._socket.tcp_keepalive_intvl = VANISHED_SECONDS // 4
        self._socket.tcp_keepalive_cnt = 3
        self._socket.tcp_maxrt = 1000 * VANISHED_SECONDS
        self._socket.ipv6 = is_ipv6(self._address)
        if self._keys is not None:
            use_client_keys(self._socket, self._keys)
        try:
            self._socket.connect(self._address)
        except zmq.ZMQError as error:
            raise ValueError(f"address {self._address!r}: {error}; wanted is tcp://HOST:PORT") from error


def _remote(name: str) -> Callable[..., Any]:
    def method(self: RemoteStore, *arguments: Any, **named: Any) -> Any:
        return self.call(name, *arguments, **named)

    return functools.update_wrapper(method, getattr(Store, name))


for _name in REQUESTS:
    setattr(RemoteStore, _name, _remote(_name))
