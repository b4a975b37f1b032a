// The page of a panic device stays true by itself: it asks for itself again, and says when the hub
// does not answer. An enrolment link carries its code behind the #, which no server or log sees: into
// the field with it, and out of the address.
"use strict";
(() => {
  const EVERY_MS = 10000, PATIENCE_MS = 8000, BACK_MS = 60000;
  const code = document.getElementById("code");
  if (code && location.hash.length > 1) {
    code.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }

  const main = document.getElementById("main"), away = document.getElementById("away"), dark = document.getElementById("dark");
  if (!away || !main.dataset.state || location.pathname !== "/panic") return;
  // Never under a finger, nor while a press waits for its answer or is offered again.
  const busy = () => document.querySelector(".holding, dialog[open], #hold-note:not([hidden])");
  let failed = 0, looking = false;
  async function look() {
    if (looking || document.hidden || busy()) return;
    looking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE_MS) : undefined });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main"), media = page.getElementById("dark").media;
      failed = 0; away.hidden = true;
      if (dark.media !== media) dark.media = media;
      if (fresh.dataset.state !== main.dataset.state && !busy()) location.reload();
    } catch { failed += 1; away.hidden = failed < 2; } finally { looking = false; }
  }
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  // What has been said gives way to the two gestures again.
  if (main.dataset.back) setTimeout(() => location.replace("/panic"), BACK_MS);
})();
