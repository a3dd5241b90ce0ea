"""The one process that owns the database of a run: answers the requests of clients, one after the other.

A single thread: requests wait in the socket's queue while SQLite works, none is lost. Garbage is answered with an error
where it can be, else dropped with a line in the log; a request that fails is answered with its error; the
server lives. Loads no torch.
"""

from __future__ import annotations

import logging
import signal
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import zmq
from zmq.utils import z85

from rlscout.storage import Store, StoreError
from rlscout.storage.keys import allowed_clients, check_address, is_ipv6, is_loopback, use_server_keys
from rlscout.storage.local import LocalStore
from rlscout.storage.messages import MAGIC, MAX_FRAME, BadMessage, Failure, Result, encode, request_decoder

log = logging.getLogger(__name__)

POLL_MS = 100  # how soon `stop` is noticed
QUEUED = 256  # requests of one client that wait: libzmq 4.3 aborts where a client leaves whose heartbeats wait behind so many
REMEMBERED = 256  # answers kept for resends
REMEMBERED_BYTES = 4096  # larger answers are those of reads, which are done again instead


@dataclass(frozen=True)
class CleanUp:
    """What to keep (see `Store.clean_up`), and how often to look."""

    keep_samples: int
    keep_models: int
    keep_metrics: int
    seconds: float = 60.0


class Server:
    """Serves a store that it does not own. `run` in one thread; `stop` from any thread or signal handler."""

    def __init__(self, store: Store, address: str, keys: Path | None = None, clean_up: CleanUp | None = None) -> None:
        """Binds `address`; a port `*` is any free one, see `address` of the object.

        ValueError: not loopback and no keys, or no such address. StoreError: the address is in use."""
        check_address(address, bind=True)
        if keys is None and not is_loopback(address):
            raise ValueError(
                f"address {address}: beyond this machine a server needs CURVE keys (`rlscout keys` makes them); "
                "without keys only a loopback address such as tcp://127.0.0.1:5555 is allowed"
            )
        self._store = store
        self._clean_up = clean_up
        self._clean_up_due = time.monotonic()
        self._stopping = False
        self._decode = request_decoder()
        self._answered: OrderedDict[bytes, tuple[bytes, bytes]] = OrderedDict()
        self._context = zmq.Context()
        try:
            self._door = _Door(self._context, keys) if keys else None
            self._socket = self._context.socket(zmq.ROUTER)
            self._socket.maxmsgsize = MAX_FRAME
            self._socket.rcvhwm = QUEUED
            self._socket.ipv6 = is_ipv6(address)
            if keys:
                use_server_keys(self._socket, keys)
            self._socket.bind(address)
            self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        except zmq.ZMQError as error:
            self.close()
            if error.errno == zmq.EADDRINUSE:
                raise StoreError(f"address {address} is in use: is another server running there?") from error
            raise ValueError(f"address {address}: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._context.destroy(linger=1000)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        """Answers until `stop`; then every request that was begun is finished and answered."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        if self._door:
            poller.register(self._door.socket, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll(POLL_MS))
            if self._door and self._door.socket in ready:
                self._door.answer()
            if self._socket in ready:
                self._serve_one()
            self._clean_up_if_due()

    def _serve_one(self) -> None:
        frames = _receive(self._socket, 6)
        identity, *message = frames
        if len(message) != 4 or len(message[1]) != 16:
            log.warning("dropped %d frames that are no request", len(message))
            return
        magic, request, header, body = message
        answer = self._answered.get(request)
        if answer is None:
            if magic == MAGIC:
                answer = self._answer(header, body)
            else:
                answer = encode(Failure("store", f"the server speaks the protocol {MAGIC!r}, not {magic[:16]!r}"))
        if sum(map(len, answer)) <= REMEMBERED_BYTES:
            self._answered[request] = answer
            if len(self._answered) > REMEMBERED:
                self._answered.popitem(last=False)
        self._socket.send_multipart([identity, MAGIC, request, *answer], copy=False)

    def _answer(self, header: bytes, body: bytes) -> tuple[bytes, bytes]:
        try:
            request = self._decode(header, body)
            method = getattr(self._store, request.__struct_config__.tag)
            arguments = [getattr(request, name) for name in request.__struct_fields__]
            return encode(Result(method(*arguments)))
        except ValueError as error:
            return encode(Failure("value", str(error)))
        except BadMessage as error:
            log.warning("refused a message: %s", error)
            return encode(Failure("value", str(error)))
        except StoreError as error:
            log.error("%s", error)
            return encode(Failure("store", str(error)))
        except Exception as error:
            log.exception("a request failed")
            return encode(Failure("store", f"the server failed at this request: {type(error).__name__}: {error}"))

    def _clean_up_if_due(self) -> None:
        if self._clean_up is None or time.monotonic() < self._clean_up_due:
            return
        policy = self._clean_up
        wait = policy.seconds
        try:
            removed = self._store.clean_up(policy.keep_samples, policy.keep_models, policy.keep_metrics)
            if removed.samples or removed.models or removed.metrics:
                log.info(
                    "cleaned up %d samples, weights of %d models, %d metrics",
                    removed.samples,
                    removed.models,
                    removed.metrics,
                )
            if removed.more:
                wait = min(wait, 0.5)
        except StoreError as error:
            log.error("clean-up: %s", error)
        self._clean_up_due = time.monotonic() + wait


class _Door:
    """Decides which clients get in (ZAP, rfc.zeromq.org/spec/27): those whose public CURVE key is allowed when they connect."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: Path) -> None:
        self._keys, self._allowed = keys, allowed_clients(keys)
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        version, sequence, _domain, address, _identity, mechanism, *credentials = self.socket.recv_multipart()
        try:
            self._allowed = allowed_clients(self._keys)
        except ValueError as error:
            log.error("%s; the clients that were allowed before still are", error)
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        if key in self._allowed:
            status, text = b"200", b"OK"
        else:
            status, text = b"400", b"unknown key"
            log.warning("refused a client at %s: its key %s is not in clients.pub", address.decode(), key.decode())
        self.socket.send_multipart([version, sequence, status, text, key, b""])


def serve(
    data: Path,
    address: str,
    game: str | None = None,
    keys: Path | None = None,
    clean_up: CleanUp | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves the database in `data` until SIGINT or SIGTERM; call it from the main thread.

    `ready` is called with the bound address once requests are answered."""
    with LocalStore(data, game) as store:
        server = Server(store, address, keys, clean_up)

        def stop(signum: int, frame: FrameType | None) -> None:
            server.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            log.info("serving %s at %s", data, server.address)
            if ready:
                ready(server.address)
            server.run()
            log.info("stopped")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            server.close()


def _receive(socket: zmq.Socket[bytes], most: int) -> list[bytes]:
    """One message; of its frames only the first `most` are kept, so that many frames take no memory."""
    frames: list[Any] = [socket.recv()]
    while socket.rcvmore:
        frame = socket.recv()
        if len(frames) < most:
            frames.append(frame)
    return frames
