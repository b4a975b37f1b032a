"""Being told in a real browser: the switch on the page, the message, and the real service worker.

Chromium is not let out to its push service here. So what `PushManager` gives is of the test's own:
a real key pair, and an address at a push service on this machine, which decrypts what the notifier
sends. What it decrypts goes to the real worker by DevTools, as a push service would deliver it.
"""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from aiohttp import web
from chromium import launched
from playwright.async_api import async_playwright, expect
from scripted_house import ScriptedHouse

from hub import Context, Notice, Recipient
from hub.browsers import Browsers
from hub.identity import accounts
from hub.web.security import SESSION_COOKIE
from hub.web.server import create_app
from plugins.notifiers.webpush import WebPush, WebPushConfig
from tests.plugins.notifiers.push_service import PushService

pytestmark = pytest.mark.browser

PRETENDED = """
(() => {
  const made = (key) => ({
    endpoint: GIVEN.endpoint, options: { applicationServerKey: key }, toJSON: () => GIVEN,
    unsubscribe: async () => { localStorage.removeItem("push"); return true; },
  });
  PushManager.prototype.subscribe = async function (options) {
    localStorage.setItem("push", JSON.stringify([...options.applicationServerKey]));
    return made(options.applicationServerKey.buffer);
  };
  PushManager.prototype.getSubscription = async function () {
    const key = localStorage.getItem("push");
    return key ? made(new Uint8Array(JSON.parse(key)).buffer) : null;
  };
})();
"""
ALERT = Notice(
    key="n1",
    about="alert",
    severity="severe",
    title="Person in the closed science wing",
    text="",
    time=datetime(2026, 3, 2, 22, 15, tzinfo=UTC),
    to=(Recipient("Principal", "Principal"),),
    place="Science wing",
    alert="a1",
    link="https://hub.example/alerts/a1",
)


@pytest.fixture
async def house(tmp_path):
    """A house with one account, and the secret of its session."""
    made = ScriptedHouse(tmp_path)
    await made.open()

    def sign_in(conn):
        accounts.add_user_with_hash(conn, "Principal", "principal", "no password")
        return accounts.open_session(conn, "Principal", made.clock.now()).secret

    made.secret = await made.journal_write(sign_in)
    yield made
    await made.close()


@pytest.fixture
async def base(house):
    """Where the house is served."""
    runner = web.AppRunner(create_app(house), shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def service(house):
    """A push service."""
    made = PushService(house.clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def notifier(house, service, tmp_path):
    """The notifier, which learns of browsers from the house's own journal."""
    ways = Browsers(house.journal, lambda: house.config, "phones", house.clock).ways()
    context = Context("phones", clock=house.clock, state=tmp_path / "phones", **ways)
    host = f"127.0.0.1:{service.port}"
    made = WebPush(WebPushConfig(contact="mailto:it@school.example", services=[host]), context)
    await made.start()
    house.browser_keys["phones"] = await made.application_server_key()
    yield made
    await made.close()


@pytest.fixture
async def tab(house, base, service):
    """A signed-in tab that may show notifications; `tab.behind` is the browser's key pair."""
    behind = service.browser()
    async with async_playwright() as play:
        chromium = await launched(play)
        context = await chromium.new_context(permissions=["notifications"])
        await context.add_cookies([{"name": SESSION_COOKIE, "value": house.secret, "url": base}])
        await context.add_init_script(PRETENDED.replace("GIVEN", f"({json.dumps(behind.given())})"))
        page = await context.new_page()
        page.behind = behind
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: page.complaints.append(said.text) if said.type == "error" else None,
        )
        yield page
        await chromium.close()


COUNTING = """() => {
    if ("shown" in self) return self.shown;
    const show = self.registration.showNotification.bind(self.registration);
    self.shown = 0;
    self.registration.showNotification = async (...said) => { await show(...said); self.shown++; };
    return 0;
}"""


async def delivered(tab, base, told):
    """Hand a message to the real worker, as the browser's push service does, and wait until the
    worker has shown something. Who asks Chromium for its notifications while it is about to show
    one takes that one away.
    """
    devtools = await tab.context.new_cdp_session(tab)
    working = asyncio.get_running_loop().create_future()

    def seen(event):
        for version in event["versions"]:
            if version["status"] == "activated" and not working.done():
                working.set_result(version["registrationId"])

    devtools.on("ServiceWorker.workerVersionUpdated", seen)
    await devtools.send("ServiceWorker.enable")
    async with asyncio.timeout(30):
        registration = await working
        (worker,) = tab.context.service_workers
        before = await worker.evaluate(COUNTING)
        await devtools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": base, "registrationId": registration, "data": json.dumps(told)},
        )
        while await worker.evaluate(COUNTING) == before:
            await asyncio.sleep(0.02)


SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
    .map((n) => ({title: n.title, body: n.body, tag: n.tag, path: n.data.path,
                  stays: n.requireInteraction}))"""


async def shows(tab, holds):
    """What the device shows, once that holds."""
    async with asyncio.timeout(30):
        while not holds(every := await tab.evaluate(SHOWN)):
            await asyncio.sleep(0.05)
    return every


CLICKED = """async () => {
    let opened = "";
    self.clients.openWindow = async (address) => { opened = address; return null; };
    const [shown] = await self.registration.getNotifications();
    const done = [];
    const event = new NotificationEvent("notificationclick", {notification: shown});
    event.waitUntil = (promise) => done.push(promise);
    self.dispatchEvent(event);
    await Promise.all(done);
    return [opened, (await self.registration.getNotifications()).length];
}"""


async def test_from_the_switch_to_the_screen(house, base, service, notifier, tab):
    """Switched on, told, shown, replaced by the verdict, opened by a click, and switched off."""
    await tab.goto(f"{base}/me")
    await tab.get_by_role("button", name="Tell this device").click()
    await expect(tab.get_by_text("This device is told")).to_be_visible()
    listed = tab.get_by_text("Chrome on Linux", exact=True)
    await expect(listed).to_be_visible()

    assert (await notifier.send(ALERT)).state == "accepted"
    (told,) = tab.behind.told
    await delivered(tab, base, told)
    (shown,) = await shows(tab, lambda every: len(every) == 1)
    assert shown == {
        "title": "Person in the closed science wing",
        "body": "Science wing",
        "tag": told["tag"],
        "path": "/alerts/a1",
        "stays": True,
    }

    verdict = {"key": "n2", "about": "verdict", "title": "False alarm", "severity": "check"}
    await notifier.send(Notice(**{**{f: getattr(ALERT, f) for f in ALERT.__slots__}, **verdict}))
    await delivered(tab, base, tab.behind.told[1])
    every = await shows(tab, lambda every: any(one["title"] == "False alarm" for one in every))
    assert len(every) == 1

    (worker,) = tab.context.service_workers
    assert await worker.evaluate(CLICKED) == [f"{base}/alerts/a1", 0]

    await tab.get_by_role("button", name="Stop telling this device").click()
    await expect(tab.get_by_role("button", name="Tell this device")).to_be_visible()
    assert (await notifier.send(ALERT)).state == "failed"
    assert tab.complaints == []


async def test_a_message_that_cannot_be_read_is_still_shown(base, notifier, tab):
    """A browser takes the permission away where a push shows nothing."""
    await tab.goto(f"{base}/me")
    await tab.get_by_role("button", name="Tell this device").click()
    await expect(tab.get_by_text("This device is told")).to_be_visible()
    for odd in ("no object", {"path": "https://evil.example/"}):
        await delivered(tab, base, odd)
    every = await shows(tab, lambda every: len(every) == 2)
    assert {each["title"] for each in every} == {"News from the school"}
    (worker,) = tab.context.service_workers
    opened = [(await worker.evaluate(CLICKED))[0] for _ in range(2)]
    assert opened == [f"{base}/", f"{base}/"]


async def test_the_pages_can_be_put_on_a_home_screen(base, tab):
    """Some telephones let only pages that stand there tell anything: the manifest is sound."""
    await tab.goto(f"{base}/me")
    devtools = await tab.context.new_cdp_session(tab)
    found = await devtools.send("Page.getAppManifest")
    assert found["errors"] == []
    assert json.loads(found["data"])["display"] == "standalone"


async def test_a_refusal_is_told_on_the_page(house, base, notifier, tab):
    """What the hub does not take is said where the person asked for it."""
    await tab.goto(f"{base}/me")
    await expect(tab.get_by_role("button", name="Tell this device")).to_be_visible()
    house.browser_keys.clear()
    await tab.get_by_role("button", name="Tell this device").click()
    words = "Nobody is told in browsers through that notifier."
    await expect(tab.get_by_text(words)).to_be_visible()
