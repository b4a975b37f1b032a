"""How people come in, as `check` looks at it: where the pages listen, and the files named there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.config import Config
from hub.document import KeyPath
from hub.plainwords import Finding
from hub.web_settings import open_trouble


def entry_findings(config: Config, folder: Path) -> Iterator[tuple[Finding, bool]]:
    """What is wrong with `hub.web` and `hub.sign_in`; true beside what is but a note."""
    web, sign_in = config.hub.web, config.hub.sign_in
    where: KeyPath = ("hub", "web")
    if words := open_trouble(web):
        yield Finding((*where, "listen"), words), False
    for key in ("certificate", "certificate_key"):
        file = getattr(web, key)
        if file is not None and not (folder / file).is_file():
            words = f"there is no file {folder / file} here; expected it where the hub runs"
            yield Finding((*where, key), words), True
    if web.tls == "off" and not web.proxies and web.address.startswith("https:"):
        words = "nobody speaks TLS for this address; expected `tls`, or a proxy under `proxies`"
        yield Finding((*where, "address"), words), True
    if sign_in.breached is not None:
        from hub.identity.guessable import trouble_with

        if words := trouble_with(folder / sign_in.breached):
            yield Finding(("hub", "sign_in", "breached"), words), True
