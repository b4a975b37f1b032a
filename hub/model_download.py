"""Downloading one model: held by one process at a time, going on where an earlier try stopped."""

from __future__ import annotations

import fcntl
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hub.errors import ModelError

CHUNK = 1 << 16
TIMEOUT_S = 30.0
Progress = Callable[[int, int], None]


@contextmanager
def alone(part: Path) -> Iterator[BinaryIO]:
    """The half-fetched file, opened to go on with, held by one process at a time."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab")
    except OSError as error:
        raise ModelError(f"cannot write {part}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ModelError(f"{part.stem} is already being fetched") from None
        yield file


def download(url: str, file: BinaryIO, size: int, progress: Progress) -> None:
    """Append to a file of which something may be there until it has `size` bytes.

    Raises `ModelError`; what has come by then is kept.
    """
    host = urllib.parse.urlsplit(url).hostname
    if urllib.parse.urlsplit(url).scheme not in ("http", "https") or not host:
        raise ModelError(f"{url}: expected an address that starts with https://")
    done = os.fstat(file.fileno()).st_size
    if done > size:
        file.truncate(0)
        done = 0
    if done == size:
        return
    headers = {"User-Agent": "vestibule", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (the scheme is checked)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            if answer.status != 206 or not _goes_on_at(answer.headers, done):
                file.truncate(0)
                done = 0
            while done < size and (chunk := answer.read(CHUNK)):
                file.write(chunk)
                done += len(chunk)
                progress(done, size)
    except urllib.error.HTTPError as error:
        raise ModelError(f"{host} answered {error.code} {error.reason} for {url}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(host, url, done, size, error) from None
    if done < size:
        raise _unreachable(host, url, done, size, "the connection ended")


def _goes_on_at(headers: Any, start: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _unreachable(host: str, url: str, done: int, size: int, why: object) -> ModelError:
    if done:
        kept = f"{done} of {size} bytes are kept; the same command goes on from there"
        return ModelError(f"the download from {host} broke off ({why}); {kept}")
    return ModelError(
        f"{host} cannot be reached ({why}). If this machine is offline, download {url} elsewhere, "
        "bring the file, and run `vestibule models add FILE`"
    )
