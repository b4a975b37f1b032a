// The wall of cameras and the enlarged one: how many columns, and the live stream of pictures.
"use strict";
(() => {
  const { all, at, canvasOf, stamp, visible } = window.vestibule;

  // Columns: a bookmark's own choice wins, else what was chosen last on this device.
  const columns = at("columns");
  function choose(wanted, remember) {
    const wall = at("wall");
    wall.className = ["strip", "wall", wanted && `cols-${wanted}`].filter(Boolean).join(" ");
    for (const each of all("[data-columns]", columns)) {
      if (each.dataset.columns === wanted) each.setAttribute("aria-current", "true"); else each.removeAttribute("aria-current");
    }
    // The page fetches itself again with the same choice.
    document.body.dataset.here = `/cameras?columns=${wanted || "auto"}`;
    if (!remember) return;
    try { localStorage.setItem("columns", wanted); } catch { /* not kept */ }
    history.replaceState(null, "", document.body.dataset.here);
  }
  if (columns) {
    let kept = "";
    try { kept = localStorage.getItem("columns") || ""; } catch { /* nothing is kept */ }
    const known = all("[data-columns]", columns).some((each) => each.dataset.columns === kept);
    if (!new URLSearchParams(location.search).has("columns") && kept && known) choose(kept, false);
    columns.addEventListener("click", (e) => {
      const chip = e.target.closest("[data-columns]");
      if (chip) { e.preventDefault(); choose(chip.dataset.columns, true); }
    });
  }

  // One stream of JPEGs, each behind a line with its length and its age (multipart/x-mixed-replace).
  const LONGEST = 8 << 20, SILENT_MS = 15000;
  const text = new TextDecoder();
  function joined(a, b) { const both = new Uint8Array(a.length + b.length); both.set(a); both.set(b, a.length); return both; }
  function headEnd(bytes) {
    for (let i = 0; i + 3 < bytes.length; i++) if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i;
    return -1;
  }
  async function* pictures(body) {
    let held = new Uint8Array(0);
    for (const reader = body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return;
      held = joined(held, value);
      for (let end = headEnd(held); end >= 0; end = headEnd(held)) {
        const head = text.decode(held.subarray(0, end));
        const length = Number((/content-length: (\d+)/i.exec(head) || [])[1]);
        if (!(length <= LONGEST)) throw new Error("no picture");
        if (held.length < end + 4 + length + 2) break;
        yield { jpeg: held.slice(end + 4, end + 4 + length), age: Number((/x-picture-age: ([\d.]+)/i.exec(head) || [])[1]) };
        held = held.slice(end + 6 + length);
      }
      if (held.length > LONGEST) throw new Error("no picture");
    }
  }

  async function follow(pic) {
    const stop = new AbortController(), one = { age: null, got: 0 };
    let heard = performance.now();
    const watch = setInterval(() => {
      if (!pic.isConnected || document.hidden || performance.now() - heard > SILENT_MS) stop.abort();
      else if (one.age !== null) stamp(pic, one);
    }, 500);
    try {
      const answer = await fetch(pic.dataset.stream, { cache: "no-store", signal: stop.signal });
      if (!answer.ok || !answer.body) throw new Error(String(answer.status));
      for await (const each of pictures(answer.body)) {
        heard = performance.now();
        const picture = await createImageBitmap(new Blob([each.jpeg], { type: "image/jpeg" }));
        const canvas = canvasOf(pic);
        if (canvas.width !== picture.width) { canvas.width = picture.width; canvas.height = picture.height; }
        canvas.getContext("2d").drawImage(picture, 0, 0);
        picture.close();
        pic.dataset.streaming = "1";
        one.age = each.age; one.got = performance.now();
        stamp(pic, one);
      }
    } catch { /* the stills go on; the stream is tried again */ } finally {
      clearInterval(watch);
      stop.abort();
      delete pic.dataset.streaming;
    }
  }

  const following = new Set();
  let wait = 0, next = 0;
  async function keep() {
    if (document.hidden || !window.createImageBitmap || Date.now() < next) return;
    for (const pic of all(".pic[data-stream]")) {
      if (following.has(pic) || !visible(pic)) continue;
      following.add(pic);
      const began = Date.now();
      await follow(pic);
      following.delete(pic);
      wait = Date.now() - began > 10000 ? 1000 : Math.min(15000, Math.max(1000, wait * 2));
      next = Date.now() + wait;
    }
  }
  keep();
  setInterval(keep, 1000);
})();
