"""CURVE keys: who may talk to a server beyond this machine.

A folder of keys, as `make_keys` makes it. Another host needs `server.pub` and one client's key, named `client.key`.

    server.key    the server's secret                  stays on the server
    server.pub    the server's public key              on every host
    client.key    a client's secret                    on that client's host
    clients.pub   public keys of the clients allowed   stays on the server
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import zmq

_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85


def make_keys(folder: Path, client: str = "client") -> list[Path]:
    """Makes what is missing of the server's and of a client's pair, and allows the client; returns the files written.

    Keys that exist are kept. ValueError where `client` is no plain file name."""
    if not re.fullmatch(r"[\w.-]+", client) or client == "server":
        raise ValueError(f"client {client!r}: a plain name other than 'server', letters, digits, '.', '_', '-'")
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    if not (folder / "server.key").exists():
        public, secret = zmq.curve_keypair()
        (folder / "server.pub").write_bytes(public + b"\n")
        _write_secret(folder / "server.key", secret)
        written += [folder / "server.pub", folder / "server.key"]
    if not (folder / f"{client}.key").exists():
        public, secret = zmq.curve_keypair()
        with (folder / "clients.pub").open("ab") as file:
            file.write(public + b" " + client.encode() + b"\n")
        _write_secret(folder / f"{client}.key", secret)
        written += [folder / "clients.pub", folder / f"{client}.key"]
    return written


def use_server_keys(socket: zmq.Socket[bytes], folder: Path) -> None:
    """Before `bind`: the socket speaks CURVE only, and asks a ZAP handler about every client."""
    socket.curve_server = True
    socket.curve_secretkey = read_key(folder / "server.key")
    socket.curve_publickey = read_key(folder / "server.pub")
    socket.zap_domain = b"rlscout"
    socket.zap_enforce_domain = True


def use_client_keys(socket: zmq.Socket[bytes], folder: Path) -> None:
    """Before `connect`."""
    secret = read_key(folder / "client.key")
    socket.curve_secretkey = secret
    socket.curve_publickey = zmq.curve_public(secret)
    socket.curve_serverkey = read_key(folder / "server.pub")


def allowed_clients(folder: Path) -> frozenset[bytes]:
    """The public keys in `clients.pub`: the first word of each line; the rest is the client's name."""
    try:
        text = (folder / "clients.pub").read_text()
    except OSError as error:
        raise ValueError(
            f"no list of clients {error.filename}: {error.strerror}; `rlscout keys {folder}` makes one"
        ) from None
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    return frozenset(_as_key(word, folder / "clients.pub") for word in words)


def check_address(address: str, *, bind: bool = False) -> None:
    """ValueError where an address is none; a port to `bind` may be `*`, any that is free."""
    found = re.fullmatch(r"tcp://(?:\[[^\[\]]+\]|[^:/\[\]]+):(\d{1,5}|\*)", address)
    port = found[1] if found else "0"
    if (port == "*" and not bind) or (port != "*" and not 1 <= int(port) <= 65535):
        allowed = ", or * for any that is free" if bind else ""
        raise ValueError(
            f"address {address!r}: allowed is tcp://HOST:PORT, IPv6 as tcp://[::1]:PORT, with a port of 1 to 65535{allowed}"
        )


def is_ipv6(address: str) -> bool:
    """A host by name is one of IPv4: a socket that speaks both would take its IPv6 address, where a server of IPv4 does not listen."""
    return address.startswith("tcp://[")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address."""
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return address.startswith("tcp://") and (
        host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host) is not None
    )


def read_key(path: Path) -> bytes:
    """ValueError where the file is missing or holds no key; the text never shows the key."""
    try:
        text = path.read_text()
    except OSError as error:
        raise ValueError(f"no key {path}: {error.strerror}; `rlscout keys {path.parent}` makes the keys") from None
    return _as_key(text.strip(), path)


def _as_key(word: str, path: Path) -> bytes:
    if not _KEY.fullmatch(word):
        raise ValueError(f"{path}: a key has 40 characters of Z85, this one has {len(word)} characters")
    return word.encode()


def _write_secret(path: Path, secret: bytes) -> None:
    """Whole or not at all, readable by its owner alone; FileExistsError where there is one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
