// The page of a guest stays true by itself: pictures every second, the rest every three. When the link is
// over, whatever was shown goes.
"use strict";
(() => {
  const PICTURES_MS = 1000, PARTS_MS = 3000, PATIENCE_MS = 8000;
  const main = document.getElementById("main"), lost = document.getElementById("lost"), state = document.getElementById("state"), dark = document.getElementById("dark");
  let over = false, looking = false, failed = 0;

  function end(page) {
    over = true;
    const said = page && page.querySelector("[data-over]");
    document.querySelector(".forces").remove();
    document.querySelectorAll("[data-picture]").forEach((each) => each.removeAttribute("src"));
    if (said) main.replaceChildren(document.importNode(said, true)); else location.reload();
    state.hidden = true;
  }

  async function look() {
    if (over || looking || document.hidden) return;
    looking = true;
    try {
      const answer = await fetch("/guest", { cache: "no-store", signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE_MS) : undefined });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.status === 401 || answer.status === 404) return end(page);
      if (!answer.ok) throw new Error(String(answer.status));
      failed = 0; lost.hidden = true;
      dark.media = page.getElementById("dark").media;  // a phone is dark while a lockdown is in force
      for (const part of document.querySelectorAll("[data-part]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...[...fresh.childNodes].map((each) => document.importNode(each, true)));
      }
      for (const section of document.querySelectorAll("[id^=cam-]")) {
        const fresh = page.getElementById(section.id);
        if (!fresh) { section.remove(); continue; }
        section.querySelector(".pic").classList.toggle("old", fresh.querySelector(".pic").classList.contains("old"));
      }
    } catch { failed += 1; if (failed > 1) { lost.hidden = false; document.querySelectorAll(".pic").forEach((each) => each.classList.add("old")); } } finally { looking = false; }
  }

  // The next picture is asked for a second after the last one came or failed.
  for (const picture of document.querySelectorAll("[data-picture]")) {
    const address = picture.getAttribute("src");
    const again = () => setTimeout(() => { if (!over && !document.hidden) picture.src = `${address}?t=${Date.now()}`; else if (!over) again(); }, PICTURES_MS);
    picture.addEventListener("load", again);
    picture.addEventListener("error", () => { look(); again(); });
    if (picture.complete) again();
  }
  setInterval(look, PARTS_MS);
  document.addEventListener("visibilitychange", look);
})();
