"""The system's Chromium, without a window, and without what only its own window would need."""

from __future__ import annotations

from playwright.async_api import Browser, Playwright, expect

WITHIN_MS = 30_000  # five seconds are too short for a page on a busy machine

# What Playwright itself leaves out; a second list on the command line stands in place of the first.
LEFT_OUT_BY_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
# Chromium draws its address line, buttons and suggestions by pages of their own, for each window
# that is never shown. They take four times as much of the processors as a page of the hub.
OF_THE_WINDOW = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "InitialWebUI",
    "WebUIReloadButton",
    "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-features=" + ",".join(LEFT_OUT_BY_PLAYWRIGHT + OF_THE_WINDOW),
)


async def launched(play: Playwright) -> Browser:
    """Chromium, which asks nobody outside for anything; what is expected of a page is waited for
    long enough.
    """
    expect.set_options(timeout=WITHIN_MS)
    return await play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
