// Pages work without this script; with it they stay current by fetching themselves again and
// replacing what differs, never what is under a finger. Other scripts use what it leaves in
// `window.vestibule`.
"use strict";
(() => {
  const { _, ngettext, locale } = window.vestibuleWords;
  const body = document.body;
  const at = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const OLD_S = 2, SILENT_MS = 6000, EVERY_MS = 10000, PICTURE_MS = 500;

  // Time: the hub's clock, whatever this device believes.
  let skew = Date.parse(body.dataset.now) - Date.now();
  const hubNow = () => Date.now() + skew;
  const zone = { timeZone: body.dataset.zone };
  const clockOf = new Intl.DateTimeFormat(locale, { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const dayOf = new Intl.DateTimeFormat(locale, { ...zone, weekday: "short", day: "numeric", month: "short" });

  function span(seconds) {
    const s = Math.max(0, seconds), w = Math.floor(s), m = Math.floor(w / 60), h = Math.floor(m / 60);
    if (s < 1) return `${s.toFixed(1)} s`;
    if (w < 60) return `${w} s`;
    if (m < 10) return `${m} min ${String(w % 60).padStart(2, "0")} s`;
    if (m < 60) return `${m} min`;
    if (h < 24) return `${h} h ${String(m % 60).padStart(2, "0")} min`;
    return `${Math.floor(h / 24)} d ${h % 24} h`;
  }

  function put(node, text) { if (node && node.textContent !== text) node.textContent = text; }

  function tick() {
    const now = hubNow();
    put(at("clock"), `${dayOf.format(now).replace(",", "")}, ${clockOf.format(now)}`);
    for (const each of all("[data-since]")) put(each, span((now - Date.parse(each.dataset.since)) / 1000));
    for (const each of all("[data-until]")) put(each, span((Date.parse(each.dataset.until) - now) / 1000));
    for (const each of all("[data-gone]")) if (Date.parse(each.dataset.gone) <= now) each.remove();
    checkLink();
  }

  // Saying things: the loud region at once, the quiet one at most every five seconds.
  let quiet = [], spoke = 0;
  function shout(text) { put(at("shout"), text); }
  function say(text) {
    quiet.push(text);
    const wait = Math.max(0, spoke + 5000 - Date.now());
    if (quiet.length === 1) setTimeout(() => { put(at("say"), quiet.join(". ")); quiet = []; spoke = Date.now(); }, wait);
  }

  // Replacing only what differs. `data-keep` guards what the script itself draws.
  const kept = (node) => (node.dataset ? node.dataset.keep || "" : "");
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "") && kept(a) === kept(b);

  function morph(old, fresh) {
    if (old.nodeType !== 1) { if (old.data !== fresh.data) old.data = fresh.data; return; }
    if (kept(old)) return;
    for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    const byId = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
    let here = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const match = next.id && byId.get(next.id);
      if (match && alike(match, next)) {
        if (match === here) here = here.nextSibling; else old.insertBefore(match, here);
        morph(match, next);
      } else if (here && !next.id && alike(here, next)) {
        morph(here, next); here = here.nextSibling;
      } else old.insertBefore(document.importNode(next, true), here);
    }
    while (here) { const gone = here; here = here.nextSibling; gone.remove(); }
  }

  // While a pointer is down or a verdict has focus the queue neither reorders nor shifts.
  let pressed = false;
  addEventListener("pointerdown", (e) => { if (e.button === 0) pressed = true; }, { passive: true, capture: true });
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, () => { pressed = false; setTimeout(refreshIfWaiting, 50); }, { passive: true, capture: true });
  document.addEventListener("focusout", () => setTimeout(refreshIfWaiting, 50));
  const queue = () => document.querySelector("[data-queue]");
  const held = () => pressed || Boolean(queue() && document.activeElement && document.activeElement.closest(".verdict"));

  let waiting = false;
  function refreshIfWaiting() { if (waiting && !held()) { waiting = false; refresh(); } }

  const cards = (root) => all("article.alert:not(.done)", root);
  function announce(before, after) {
    const fresh = after.filter((c) => !before.has(c.id));
    const severe = fresh.filter((c) => c.dataset.severity === "severe");
    if (severe.length) shout(_("Severe alert. %(title)s", { title: severe[0].dataset.title }));
    else if (fresh.length) say(ngettext("%(n)s new: %(title)s", "%(n)s new: %(title)s", fresh.length, { n: fresh.length, title: fresh[0].dataset.title }));
    return severe.length;
  }

  // A hub of another version wrote this page: its script comes with the page, once nothing is under way.
  const written = (root) => (root.querySelector('script[src^="/static/console.js"]') || document.body).getAttribute("src");
  const busy = () => held() || document.querySelector("dialog[open], .holding, #hold-note:not([hidden]), form[data-sent]")
    || all("main textarea, main select, main input:not([type=hidden])").some((each) => each === document.activeElement || (!each.matches("select, [type=checkbox], [type=radio], [type=range]") && each.value !== each.defaultValue));

  const inForce = (root) => all("#force .force:not(.glass) b", root).map((b) => b.textContent).join(", ");
  let forced = inForce(document);
  let known = new Set(cards(document).map((c) => c.id));
  function show(page) {
    if (written(page) && written(page) !== written(document) && !busy()) { location.reload(); return; }
    skew = Date.parse(page.body.dataset.now) - Date.now();
    const before = queue(), after = page.querySelector("[data-queue]");
    if (before && after && held()) {
      waiting = true;
      for (const card of [...after.children]) { const mine = card.id && at(card.id); if (mine && !pressed) morphStill(mine, card); }
      const severe = announce(known, cards(after)), fresh = cards(after).filter((c) => !at(c.id)).length;
      known = new Set([...known, ...cards(after).map((c) => c.id)]);
      const grave = severe || cards(after).some((c) => !at(c.id) && c.dataset.severity === "severe");
      if (fresh) bar(grave ? ngettext("%(n)s new, severe: show", "%(n)s new, severe: show", fresh, { n: fresh }) : ngettext("%(n)s new: show", "%(n)s new: show", fresh, { n: fresh }));
      return;
    }
    if (pressed) { waiting = true; return; }
    waiting = false;
    bar("");
    if (after) { announce(known, cards(after)); known = new Set(cards(after).map((c) => c.id)); }
    for (const part of all("[data-live]")) { const fresh = page.getElementById(part.id); if (fresh) morph(part, fresh); }
    document.title = page.title;
    body.className = page.body.className;
    const dark = page.getElementById("dark");
    if (dark && at("dark").media !== dark.media) at("dark").media = dark.media;
    if (forced !== inForce(page)) { forced = inForce(page); shout(forced ? _("In force: %(names)s", { names: forced }) : _("No protocol is in force any more")); note(forced ? "" : _("No protocol is in force any more")); }
    if (body.dataset.lost) lock(true);
    tick();
  }

  // A card whose verdict has focus keeps its buttons unless somebody else has decided.
  function morphStill(mine, card) { if (card.classList.contains("done")) { morph(mine, card); say(card.dataset.verdict === "verified" ? _("Already verified") : _("Already decided")); } }

  function bar(text) {
    const place = at("fresh");
    if (!text) { place.hidden = true; place.replaceChildren(); return; }
    const button = document.createElement("button");
    button.type = "button"; button.className = "btn"; button.textContent = text;
    button.addEventListener("click", () => { if (document.activeElement) document.activeElement.blur(); pressed = false; refresh(); scrollTo({ top: 0 }); });
    place.replaceChildren(button); place.hidden = false;
  }

  // For eyes that are far from where something was taken away.
  let noted = 0;
  function note(text) {
    clearTimeout(noted);
    put(at("news"), text); at("news").hidden = !text;
    if (text) noted = setTimeout(() => note(""), 10000);
  }

  // Fetching this page again: at most once a second, one at a time.
  let fetching = false, again = false, fetched = Date.now(), planned = 0, unread = 0;
  function soon(delay = 150) {
    if (planned) return;
    planned = setTimeout(() => { planned = 0; refresh(); }, Math.max(delay, fetched + 1000 - Date.now()));
  }
  async function refresh() {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(body.dataset.here || location.href, { cache: "no-store", signal: AbortSignal.timeout ? AbortSignal.timeout(8000) : undefined });
      const there = new URL(answer.url);
      if (there.pathname === "/signin") { there.searchParams.set("left", "1"); if (at("dark").media !== "not all") there.searchParams.set("dark", "1"); location.assign(there); return; }
      if (answer.status === 403) { location.reload(); return; }  // hours are over, or a role is another
      if (answer.ok) { show(new DOMParser().parseFromString(await answer.text(), "text/html")); fetched = Date.now(); unread = 0; connected(); }
      else if (answer.status >= 500) missed();
    } catch { missed(); } finally {
      fetching = false;
      if (again) { again = false; soon(); }
    }
  }
  // While the page cannot be read again it grows old, whatever else still arrives.
  function missed() { unread = unread || Date.now(); if (!document.hidden) soon(3000); }
  setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { seenAgain = Date.now(); listen(); refresh(); tick(); } });

  // The link: named topics arrive; silence is loss.
  let source = null, heard = Date.now(), beat = Date.now(), lostSince = 0, failing = 0, tried = 0, seenAgain = 0, told = 0;
  function connected(e) { heard = Date.now(); failing = 0; if (e) beat = heard; if (lostSince && !unread) { lostSince = 0; delete body.dataset.lost; at("lost").hidden = true; lock(false); say(_("Connected again")); soon(0); } }
  function listen() {
    // A stream that is silent was lost on the way, even if the browser takes it for open.
    if (source && source.readyState !== 2 && Date.now() - beat < SILENT_MS) return;
    if (source) source.close();
    beat = Date.now();
    source = new EventSource("/live");
    const topics = new Set([...(body.dataset.topics || "").split(" "), "alerts", "protocols", "glass"]);
    for (const kind of ["hello", "beat"]) source.addEventListener(kind, connected);
    // What happened between the page's making and the link: where seconds count it is asked for.
    if ((body.dataset.topics || "").includes("protocols")) source.addEventListener("hello", () => soon(0));
    source.addEventListener("changed", (e) => { connected(e); if (e.data.split(" ").some((t) => topics.has(t))) soon(); });
    source.addEventListener("error", () => { if (!failing) failing = Date.now(); if (source.readyState === 2) setTimeout(listen, 3000); });
  }
  function checkLink() {
    const now = Date.now(), lost = (failing && now - failing > 3000) || now - heard > SILENT_MS || (unread && now - unread > SILENT_MS);
    if (!document.hidden && now - beat > SILENT_MS) listen();
    const pill = at("pill");
    if (!document.hidden && lost) {
      if (!lostSince) { lostSince = Math.min(heard, failing || heard, unread || heard); body.dataset.lost = "1"; lock(true); }
      at("lost").hidden = false;
      const text = _("Not connected since %(time)s. What you see is %(age)s old. Verdicts and doors are off here until it is back; nothing is kept to act later.", { time: clockOf.format(lostSince + skew), age: span((Date.now() - fetched) / 1000) });
      if (at("lost").dataset.lost !== String(lostSince)) { at("lost").dataset.lost = String(lostSince); at("lost").textContent = text; } else if (Math.floor(Date.now() / 1000) % 5 === 0) put(at("lost"), text);
      // A phone that was just unlocked has a moment to connect before it speaks.
      if (told !== lostSince && now - seenAgain > 1500) { told = lostSince; shout(text); }
      put(pill.lastElementChild, _("Not connected")); pill.firstElementChild.className = "dot off";
      if (Date.now() - tried > 3000) { tried = Date.now(); refresh(); listen(); }
    } else if (!lost) { put(pill.lastElementChild, _("Live")); pill.firstElementChild.className = "dot live"; }
  }
  function lock(on) { for (const each of all("[data-acts] button")) each.disabled = on; }
  // A page that is here is worth more than one that cannot come.
  let leaving = 0;
  function stay(e, text) {
    if (!body.dataset.lost || e.defaultPrevented || Date.now() - leaving < 10000) return;
    e.preventDefault(); leaving = Date.now();
    warn(text);
  }
  document.addEventListener("click", (e) => {
    const link = e.target.closest && e.target.closest("a[href]");
    if (!link || link.origin !== location.origin || (link.hash && link.pathname === location.pathname) || e.ctrlKey || e.metaKey || e.shiftKey) return;
    stay(e, _("Not connected: that page cannot be fetched now, and this one stays. Press again to try all the same."));
  });
  addEventListener("offline", () => { failing = failing || Date.now() - 4000; checkLink(); });
  addEventListener("pagehide", () => { if (source) source.close(); });
  addEventListener("pageshow", (e) => { if (e.persisted) { listen(); refresh(); } });

  // Forms: sent once, answered in place; the words come from the hub.
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (form.matches("[data-hold], [method=dialog]")) return;
    if (!form.matches("[data-enhance]")) { stay(e, _("Not connected: nothing was sent, and this page stays. Press again to try all the same.")); return; }
    e.preventDefault();
    if (form.dataset.sent || body.dataset.lost) return;
    form.dataset.sent = "1";
    const fields = new URLSearchParams(new FormData(form));
    if (e.submitter && e.submitter.name) fields.set(e.submitter.name, e.submitter.value);
    const slow = setTimeout(() => say(_("Sent. Waiting for the hub's answer.")), 400);
    const card = form.closest("article");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const where = new URL(answer.url);
      if (answer.ok && answer.redirected && where.pathname !== location.pathname) { location.assign(answer.url); return; }
      if (document.activeElement && form.contains(document.activeElement)) document.activeElement.blur();
      pressed = false;
      if (answer.ok) {
        form.reset();
        show(page);
        const mine = card && at(card.id);
        if (mine) mine.focus({ preventScroll: true });
        const note = mine && mine.querySelector(".note");
        say(note ? note.textContent.trim() : _("Done"));
      } else { for (const each of all("input[type=password]", form)) each.value = ""; trouble(page); refresh(); }
    } catch { trouble(null); } finally { clearTimeout(slow); delete form.dataset.sent; }
  });
  function trouble(page) {
    const words = page && page.querySelector("[data-problem]");
    warn(words ? words.textContent.trim() : _("Not confirmed by the hub. Look at what stands here, then try again."));
  }
  let warned = 0;
  function warn(text) {
    const place = at("trouble");
    put(place, text);
    place.hidden = false;
    shout(text);
    clearTimeout(warned);
    warned = setTimeout(() => { place.hidden = true; place.textContent = ""; }, 15000);
  }

  // A list is narrowed while somebody writes; the address goes along, so that it stays so.
  let seeking = 0;
  document.addEventListener("input", (e) => {
    const form = e.target.closest("[data-seek]");
    if (!form) return;
    clearTimeout(seeking);
    seeking = setTimeout(() => { const asked = new URLSearchParams(new FormData(form)); history.replaceState(null, "", `${form.action}?${asked}`); soon(0); }, 250);
  });
  for (const each of all("[data-print]")) { each.hidden = false; each.addEventListener("click", () => print()); }

  // Keys.
  const letters = () => { try { return localStorage.getItem("letters") !== "off"; } catch { return true; } };
  let leader = 0;
  const steps = () => all("article.alert, [data-row]");
  function current() {
    const focus = document.activeElement && document.activeElement.closest("article.alert");
    if (focus && focus.querySelector(".verdict")) return focus;
    return document.querySelector("article.alert:has(.verdict)") || (document.querySelector(".actbar .verdict") ? document : null);
  }
  function arm(key) {
    const card = current(), button = card && card.querySelector(`.verdict [data-key="${key}"]`);
    if (!button || button.disabled) return false;
    button.focus();
    const title = card.dataset ? card.dataset.title : (document.querySelector("h1") || {}).textContent;
    say(_("%(verdict)s: %(title)s. Enter gives it, Escape lets it go.", { verdict: button.textContent.trim(), title }));
    return true;
  }
  function step(by) {
    const every = steps();
    if (!every.length) return;
    const here = every.findIndex((c) => c.contains(document.activeElement));
    const next = every[Math.max(0, Math.min(every.length - 1, here < 0 ? 0 : here + by))];
    const target = next.querySelector("h2 a, h3 a, b a") || next.querySelector("button, a") || next;
    target.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  // What a page has a key for: links are followed, fields written in.
  function hot(key) {
    const there = all("[data-hotkey]").find((each) => each.dataset.hotkey === key.toLowerCase());
    if (there) { there.focus(); if (there.select) there.select(); else there.click(); }
    return Boolean(there);
  }
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    const field = e.target.closest && e.target.closest("input, textarea, select, dialog");
    if (e.key === "Escape" && !field) {
      const armed = document.activeElement && document.activeElement.closest(".verdict");
      const back = document.querySelector("[data-back]");
      if (armed) { document.activeElement.blur(); say(_("Let go")); } else if (back) location.assign(back.href);
      return;
    }
    if (field || !letters()) { if (e.key === "?" && !field) at("keys").showModal(); return; }
    const key = e.key.toLowerCase();
    if (leader && Date.now() - leader < 1500) {
      leader = 0;
      const link = at(`nav-${key}`);
      if (link) { e.preventDefault(); link.click(); }
      return;
    }
    if (key === "g") { leader = Date.now(); return; }
    if (e.key === "?") { e.preventDefault(); at("keys").showModal(); return; }
    if ("vdn".includes(key) && arm(key)) e.preventDefault();
    else if (key === "l") { const live = document.querySelector('[id^="beside-"] .pic[data-camera]') || document.querySelector(".pic[data-camera]"); if (live && !body.dataset.lost) location.assign(`/cameras/${live.dataset.camera}`); }
    else if (key === "z") { const undo = document.querySelector("[data-undo]"); if (undo && !undo.disabled) undo.form.requestSubmit(undo); }
    else if (hot(e.key)) e.preventDefault();
    else if (key === "j" || e.key === "ArrowDown" && e.target.closest("article.alert h2")) { e.preventDefault(); step(1); }
    else if (key === "k" || e.key === "ArrowUp" && e.target.closest("article.alert h2")) { e.preventDefault(); step(-1); }
  });
  at("letters").checked = letters();
  at("letters").addEventListener("change", (e) => { try { localStorage.setItem("letters", e.target.checked ? "on" : "off"); } catch { /* not kept */ } });

  // Pictures: one fetch a camera, drawn on every canvas of it; greyed and dated past two seconds.
  const seen = new Map();
  const visible = (node) => { const r = node.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight && r.width > 0; };
  function canvasOf(pic) {
    let canvas = pic.querySelector("canvas");
    if (!canvas) { canvas = document.createElement("canvas"); canvas.setAttribute("aria-hidden", "true"); pic.querySelector("img").after(canvas); }
    return canvas;
  }
  async function look(camera, pics) {
    const one = seen.get(camera) || { tag: "", age: null, got: 0, busy: false, next: 0, wait: 0 };
    seen.set(camera, one);
    if (one.busy || Date.now() < one.next) return;
    one.busy = true;
    const fresh = pics.some((p) => !p.querySelector("canvas"));
    try {
      const answer = await fetch(`/pictures/cameras/${camera}.jpg`, {
        cache: "no-store", headers: one.tag && !fresh ? { "If-None-Match": one.tag } : {},
        signal: AbortSignal.timeout ? AbortSignal.timeout(4000) : undefined });
      if (answer.ok || answer.status === 304) { one.age = Number(answer.headers.get("X-Picture-Age")); one.got = performance.now(); one.wait = 0; }
      else throw new Error(String(answer.status));
      if (answer.ok) {
        const picture = await createImageBitmap(await answer.blob());
        one.tag = answer.headers.get("ETag") || "";
        for (const pic of pics) { const c = canvasOf(pic); if (c.width !== picture.width) { c.width = picture.width; c.height = picture.height; } c.getContext("2d").drawImage(picture, 0, 0); }
        picture.close();
      }
    } catch { one.wait = Math.min(10000, Math.max(1000, one.wait * 2)); one.next = Date.now() + one.wait; } finally { one.busy = false; }
  }
  function stamp(pic, one) {
    if (one.age === null) return;
    const age = one.age + (performance.now() - one.got) / 1000, old = age > OLD_S, text = pic.querySelector(".age");
    pic.classList.toggle("old", old);
    if (old) put(text, _("%(time)s, %(age)s ago", { time: clockOf.format(hubNow() - age * 1000), age: span(age) }));
    else put(text, text.dataset.short === "1" ? `${age.toFixed(1)} s` : _("Live, %(seconds)s s behind", { seconds: age.toFixed(1) }));
  }
  function lookAround() {
    if (document.hidden) return;
    const groups = new Map();
    for (const pic of all(".pic[data-camera]")) if (visible(pic) && !pic.dataset.streaming) groups.set(pic.dataset.camera, [...(groups.get(pic.dataset.camera) || []), pic]);
    for (const [camera, pics] of groups) {
      if (window.createImageBitmap) look(camera, pics);
      for (const pic of pics) if (seen.has(camera)) stamp(pic, seen.get(camera));
    }
  }

  window.vestibule = Object.freeze({ all, at, canvasOf, hubNow, put, say, shout, stamp, visible });
  listen();
  tick();
  setInterval(tick, 1000);
  lookAround();
  setInterval(lookAround, PICTURE_MS);
})();
