// "Tell this device" on the page of one's account: asks the browser to take what the hub pushes.
"use strict";
(() => {
  const { _ } = window.vestibuleWords;
  const place = document.getElementById("here");
  if (!place) return;
  const says = place.querySelector("p"), button = place.querySelector("button");
  const able = isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  const say = (text) => { says.textContent = text; };

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const same = (key) => { const old = new Uint8Array(key || []), now = bytes(place.dataset.key); return old.length === now.length && now.every((b, i) => b === old[i]); };
  async function idOf(subscription) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(subscription.endpoint));
    return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("").slice(0, 32);
  }
  async function post(path, body) {
    const headers = { "X-CSRF-Token": place.dataset.csrf, "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || _("The hub did not take it. Load the page again, then try once more."));
  }

  async function on() {
    if (await Notification.requestPermission() !== "granted") {
      say(_("This browser does not let the hub tell you anything. Allow notifications for this page in its settings, then try again."));
      return;
    }
    const worker = await navigator.serviceWorker.register("/sw.js");
    await navigator.serviceWorker.ready;
    const old = await worker.pushManager.getSubscription();
    if (old && !same(old.options && old.options.applicationServerKey)) await old.unsubscribe();
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(place.dataset.key) });
    await post("/me/browsers", { notifier: place.dataset.notifier, subscription: made.toJSON() });
    location.reload();
  }
  async function off(subscription) {
    await post(`/me/browsers/${await idOf(subscription)}/forget`, {});
    await subscription.unsubscribe();
    location.reload();
  }
  function offer(words, text, act) {
    say(words);
    button.textContent = text;
    button.hidden = false;
    button.onclick = async () => {
      button.disabled = true;
      try { await act(); } catch (problem) { say(problem.message); } finally { button.disabled = false; }
    };
  }

  async function show() {
    if (!able) {
      say(isSecureContext ? _("This browser cannot be told while no page is open.") : _("This works only where the address of the hub begins with https://."));
      return;
    }
    const worker = await navigator.serviceWorker.getRegistration("/");
    const mine = worker && await worker.pushManager.getSubscription();
    const listed = mine && place.dataset.ids.split(" ").includes(await idOf(mine)) && same(mine.options && mine.options.applicationServerKey);
    if (listed) offer(_("This device is told, also while no page is open."), _("Stop telling this device"), () => off(mine));
    else offer(_("This device is not told while no page is open."), _("Tell this device"), on);
  }
  show().catch((problem) => say(problem.message));
})();
