// What is grave is held for 1.5 s. The fill and the words count down; letting go, sliding off,
// scrolling or a second finger cancels. By keyboard: Enter, then type the word. With a switch or a
// screen reader: activate, then confirm within 10 s. Without this script the form asks on a page.
"use strict";
(() => {
  const { _ } = window.vestibuleWords;
  const HOLD_MS = 1500, ANSWER_MS = 2000, CONFIRM_S = 10, SLACK_PX = 12;
  const home = document.getElementById("main") || document.body;

  // One quiet region and one loud one, there before anything is said; both outlive a refresh.
  const note = document.createElement("div");
  note.className = "note bad holdnote"; note.hidden = true; note.id = "hold-note"; note.setAttribute("role", "status");
  const words = document.createElement("span"), retry = document.createElement("button");
  words.className = "grow"; retry.type = "button"; retry.className = "btn main"; retry.hidden = true;
  note.append(words, retry);
  home.prepend(note);
  let away = 0;
  function tell(text, bad, again) {
    clearTimeout(away);
    note.className = `note holdnote ${bad ? "bad" : ""}`;
    words.textContent = text; retry.hidden = !again; note.hidden = !text;
    if (again) { retry.textContent = again.word; retry.onclick = again.act; }
    else if (text) away = setTimeout(() => tell(""), bad ? 15000 : 6000);
  }

  const button = (form) => form.querySelector("button[type=submit]");
  const small = (form) => button(form).querySelector("small");
  const lacking = (form) => { if (form.checkValidity()) return false; form.reportValidity(); return true; };

  // What was meant is what stood there when it began: the page may change under a dialog. Each gesture
  // has a key of its own, so that an old page can start anew what has ended since.
  let gestures = 0;
  function taken(form) {
    const fields = new URLSearchParams(new FormData(form));
    if (fields.has("key")) fields.set("key", `${fields.get("key")}.${Date.now().toString(36)}.${++gestures}`);
    return { action: form.action, fields, title: form.dataset.title };
  }
  // Sending: once for each gesture, and again only on a further press. Its key makes them one.
  function send({ action, fields, title }, sure) {
    fields.set("sure", sure);
    deliver(action, fields, title);
  }
  let trip = 0, gone = false;
  async function deliver(action, fields, title) {
    const mine = ++trip;
    const wait = setTimeout(() => { if (mine === trip) tell(_("%(title)s: sent. Waiting for the hub's answer.", { title })); }, 400);
    const offer = { word: _("Again: %(title)s", { title }), act: () => deliver(action, fields, title) };
    const slow = setTimeout(() => { if (mine === trip) tell(_("%(title)s: not confirmed by the hub. Nobody knows here whether it has begun.", { title }), true, offer); }, ANSWER_MS);
    try {
      const answer = await fetch(action, { method: "POST", body: fields });
      clearTimeout(slow); clearTimeout(wait);
      if (new URL(answer.url).pathname === "/signin") { tell(_("%(title)s: nothing was done. You are signed out here: sign in, then start it again.", { title }), true); return; }
      if (answer.ok && answer.redirected) {
        if (gone) return;  // the same act was answered before, and leads there
        gone = true;
        try { sessionStorage.setItem("held", title); } catch { /* not said, then */ }
        location.assign(answer.url);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const why = page.querySelector("[data-problem]"), fresh = page.querySelector("input[name=csrf]");
      if (fresh) for (const each of document.querySelectorAll("form[data-hold] input[name=csrf]")) each.value = fresh.value;
      tell(why ? why.textContent.trim() : _("%(title)s: the hub did not take it.", { title }), true, answer.status >= 500 ? offer : null);
    } catch {
      clearTimeout(slow); clearTimeout(wait);
      if (mine === trip) tell(_("%(title)s: not confirmed by the hub. It cannot be reached from here.", { title }), true, offer);
    }
  }

  // Holding.
  let held = null;
  function begin(form, e) {
    const face = button(form), words = small(form), said = words.textContent, start = performance.now(), meant = taken(form);
    const holding = (ms) => _("Keep holding: %(starts)s in %(seconds)s s", { starts: form.dataset.starts, seconds: (ms / 1000).toFixed(1) });
    face.classList.add("holding");
    const turn = setInterval(() => {
      const left = Math.max(0, HOLD_MS - (performance.now() - start));
      words.textContent = holding(left);
    }, 100);
    words.textContent = holding(HOLD_MS);
    const end = () => { clearInterval(turn); clearTimeout(due); face.classList.remove("holding"); words.textContent = said; held = null; };
    const due = setTimeout(() => { end(); if (navigator.vibrate) navigator.vibrate(80); send(meant, "held"); }, HOLD_MS);
    held = { form, face, pointer: e.pointerId, cancel: () => { end(); tell(_("Not started.")); } };
  }
  const cancel = () => { if (held) held.cancel(); };
  document.addEventListener("pointerdown", (e) => {
    if (held) { cancel(); return; }
    const face = e.target.closest && e.target.closest("form[data-hold] button[type=submit]");
    if (!face || !e.isPrimary || e.button !== 0) return;
    if (lacking(face.form)) return;
    begin(face.form, e);
  });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, cancel);
  document.addEventListener("pointermove", (e) => {
    if (!held || e.pointerId !== held.pointer) return;
    const r = held.face.getBoundingClientRect();
    if (e.clientX < r.left - SLACK_PX || e.clientX > r.right + SLACK_PX || e.clientY < r.top - SLACK_PX || e.clientY > r.bottom + SLACK_PX) cancel();
  });
  for (const kind of ["scroll", "pagehide"]) addEventListener(kind, cancel, { capture: true, passive: true });
  addEventListener("blur", cancel);
  document.addEventListener("visibilitychange", cancel);
  document.addEventListener("contextmenu", (e) => { if (e.target.closest && e.target.closest("form[data-hold] button")) e.preventDefault(); });

  // A click of a pointer comes after a hold that was let go: it does nothing. One without a pointer
  // comes from a switch, a screen reader or a voice.
  document.addEventListener("click", (e) => {
    const face = e.target.closest && e.target.closest("form[data-hold] button[type=submit]");
    if (!face) return;
    e.preventDefault();
    if (e.detail === 0 && !lacking(face.form)) ask(face.form, false);
  });
  document.addEventListener("submit", (e) => {
    if (!e.target.matches("form[data-hold]")) return;
    e.preventDefault();
    if (!lacking(e.target)) ask(e.target, true);
  });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") cancel();
    const face = e.target.closest && e.target.closest("form[data-hold] button[type=submit]");
    if (!face || (e.key !== "Enter" && e.key !== " ")) return;
    e.preventDefault();
    if (!e.repeat && !lacking(face.form)) ask(face.form, true);
  });
  document.addEventListener("keyup", (e) => { if (e.key === " " && e.target.closest && e.target.closest("form[data-hold] button[type=submit]")) e.preventDefault(); });

  // Asking: typed, or confirmed within ten seconds.
  const dialog = document.createElement("dialog");
  dialog.id = "hold-ask"; dialog.setAttribute("aria-labelledby", "hold-ask-h");
  document.body.append(dialog);
  let clock = 0;
  function shut() { clearInterval(clock); if (dialog.open) dialog.close(); }
  function made(tag, properties, ...inside) { const node = Object.assign(document.createElement(tag), properties); node.append(...inside); return node; }
  function ask(form, typed) {
    const { title, type } = form.dataset, meant = taken(form), sheet = made("form", { method: "dialog" });
    const yes = made("button", { className: "btn main wide", type: "submit", textContent: _("Yes: %(title)s", { title }) });
    const no = made("button", { className: "btn wide", type: "button", textContent: _("No, do nothing") });
    no.addEventListener("click", () => { shut(); tell(_("Not started.")); });
    sheet.append(made("h2", { id: "hold-ask-h", textContent: title }));
    if (typed) {
      const field = made("input", { className: "input", id: "hold-word", autocomplete: "off", spellcheck: false });
      field.setAttribute("autocapitalize", "characters");
      const label = made("label", { htmlFor: "hold-word", textContent: _("Type %(word)s, then Enter", { word: type }) });
      sheet.append(made("div", { className: "field" }, label, field), no);
      sheet.addEventListener("submit", (e) => {
        e.preventDefault();
        if (field.value.trim().toUpperCase() !== type) { label.textContent = _("That is not %(word)s. Type %(word)s, then Enter", { word: type }); field.select(); return; }
        shut(); send(meant, "typed");
      });
    } else {
      const left = made("p", {}), end = performance.now() + CONFIRM_S * 1000;
      const turn = () => {
        const s = Math.ceil((end - performance.now()) / 1000);
        left.textContent = _("Confirm within %(seconds)s s.", { seconds: s });
        if (s <= 0) { shut(); tell(_("Not started: ten seconds have passed.")); }
      };
      turn(); clearInterval(clock); clock = setInterval(turn, 250);
      sheet.append(left, yes, no);
      sheet.addEventListener("submit", (e) => { e.preventDefault(); shut(); send(meant, "confirmed-here"); });
    }
    dialog.replaceChildren(sheet);
    dialog.showModal();
  }
  dialog.addEventListener("cancel", () => { clearInterval(clock); tell(_("Not started.")); });

  // A page that the browser had put by would start under a key that was used.
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  // The page that the hub led to after it has said yes.
  try {
    const title = sessionStorage.getItem("held"), loud = document.getElementById("shout");
    if (title) { sessionStorage.removeItem("held"); if (loud) setTimeout(() => { loud.textContent = _("%(title)s: the hub has taken it.", { title }); }, 300); }
  } catch { /* not said, then */ }
})();
