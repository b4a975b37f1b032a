// Plays the kept pictures of an alert once, over the picture on its card. It never loops, a second
// press ends it, and where motion is not wanted each press shows the next picture.
"use strict";
(() => {
  const { all, say } = window.vestibule;
  const { _ } = window.vestibuleWords;
  const STEP_MS = 700, still = matchMedia("(prefers-reduced-motion: reduce)");
  const playing = new WeakMap();

  function ready() { for (const each of all("[data-play]")) if (each.parentElement.querySelector(".pic img")) each.hidden = false; }
  async function picture(name) {
    const image = new Image();
    image.src = `/media/${name}`;
    await image.decode();
    return image;
  }
  function lay(pic) {
    let canvas = pic.querySelector("canvas.moment");
    if (!canvas) { canvas = document.createElement("canvas"); canvas.className = "moment"; canvas.setAttribute("aria-hidden", "true"); pic.append(canvas); }
    let stamp = pic.querySelector(".moment-time");
    if (!stamp) { stamp = document.createElement("span"); stamp.className = "stamp up moment-time"; pic.append(stamp); }
    return [canvas, stamp];
  }
  function show(pic, image, words) {
    const [canvas, stamp] = lay(pic);
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    stamp.textContent = words;
  }
  function end(button) {
    const run = playing.get(button);
    if (run) clearTimeout(run.timer);
    playing.delete(button);
    button.removeAttribute("aria-pressed");
    for (const each of all(".moment, .moment-time", button.parentElement)) each.remove();
  }
  async function step(button) {
    const run = playing.get(button);
    if (!run) return;
    if (run.next >= run.names.length || !button.isConnected) { end(button); say(_("Played to the end")); return; }
    const at = run.next++;
    try {
      const image = await picture(run.names[at]);
      if (playing.get(button) !== run) return;
      const words = `${run.times[at] || ""}, ${at + 1}/${run.names.length}`;
      show(button.parentElement.querySelector(".pic"), image, words);
      if (run.byHand) say(words); else run.timer = setTimeout(() => step(button), STEP_MS);
    } catch { end(button); say(_("The pictures cannot be shown")); }
  }
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-play]");
    if (!button) return;
    const run = playing.get(button);
    if (run && run.byHand) { step(button); return; }
    if (run) { end(button); return; }
    playing.set(button, { names: button.dataset.play.split(" "), times: button.dataset.times.split(" "), next: 0, timer: 0, byHand: still.matches });
    button.setAttribute("aria-pressed", "true");
    step(button);
  });
  ready();
  new MutationObserver(ready).observe(document.getElementById("page"), { childList: true, subtree: true });
})();
