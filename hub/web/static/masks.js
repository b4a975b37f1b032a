// Masks drawn over a camera's picture: by pointer on the picture, by keyboard in the list beside it.
"use strict";
(() => {
  const { at, say } = window.vestibule;
  const { _, ngettext } = window.vestibuleWords;
  const form = at("masks");
  if (!form) return;
  const NEAR = 0.03, LEAST = 3, MOST = 32, SVG = "http://www.w3.org/2000/svg";
  const svg = at("drawn"), list = at("list"), text = at("text");
  let masks = [], drawing = null, dragged = null, size = [640, 360];

  function read() {
    try {
      const found = JSON.parse(text.value);
      if (Array.isArray(found) && found.every((m) => Array.isArray(m) && m.every((p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite)))) masks = found;
    } catch { /* half typed: the hub says what is wrong */ }
  }
  const within = (value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
  const words = (part) => `${Math.round(part * 100)} %`;

  function make(name, attributes, parent) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  }
  const points = (mask) => mask.map(([x, y]) => `${x * size[0]},${y * size[1]}`).join(" ");
  function paint() {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    const reach = size[0] / 22, dot = size[0] / 90;
    masks.forEach((mask, m) => {
      make("polygon", { points: points(mask), class: "mask" }, svg);
      mask.forEach(([x, y], c) => {
        make("circle", { cx: x * size[0], cy: y * size[1], r: dot, class: "corner" }, svg);
        make("circle", { cx: x * size[0], cy: y * size[1], r: reach, class: "reach", "data-mask": m, "data-corner": c }, svg);
      });
    });
    if (drawing) {
      make("polyline", { points: points(drawing), class: "mask open" }, svg);
      drawing.forEach(([x, y], c) => make("circle", { cx: x * size[0], cy: y * size[1], r: c ? dot : dot * 1.6, class: "corner" }, svg));
    }
    svg.classList.toggle("drawing", Boolean(drawing));
  }

  // The list is made anew when something comes or goes; moving a corner only changes its words.
  function button(words, act, parent, icon = false) {
    const node = document.createElement("button");
    node.type = "button"; node.className = icon ? "btn" : "chip"; node.textContent = words;
    node.addEventListener("click", act);
    parent.append(node);
    return node;
  }
  const cornerWords = (c, [x, y]) => _("Corner %(n)s: %(x)s from the left, %(y)s from the top", { n: c + 1, x: words(x), y: words(y) });
  function tell() {
    list.replaceChildren();
    masks.forEach((mask, m) => {
      const item = document.createElement("li"), whole = document.createElement("span"), chips = document.createElement("span");
      whole.className = "grow stack tight"; chips.className = "chips";
      const title = document.createElement("b");
      title.textContent = ngettext("Mask %(m)s: %(n)s corner", "Mask %(m)s: %(n)s corners", mask.length, { m: m + 1, n: mask.length });
      const acts = document.createElement("span");
      acts.className = "chips";
      mask.forEach((corner, c) => {
        const chip = button(String(c + 1), () => {}, chips);
        chip.dataset.mask = m; chip.dataset.corner = c;
        chip.setAttribute("aria-label", cornerWords(c, corner));
        chip.title = _("Arrow keys move this corner, Delete takes it away");
      });
      button(_("Add a corner"), () => {
        const [a, b] = [mask[mask.length - 1], mask[0]];
        mask.push([within((a[0] + b[0]) / 2), within((a[1] + b[1]) / 2)]);
        changed(m, mask.length - 1);
      }, acts, true);
      button(_("Take mask %(m)s away", { m: m + 1 }), () => { masks.splice(m, 1); changed(); say(_("Taken away")); }, acts, true);
      whole.append(title, chips, acts);
      item.append(whole);
      list.append(item);
    });
    if (!masks.length) {
      const item = document.createElement("li");
      item.className = "meta"; item.textContent = _("No mask: all of the picture is looked at.");
      list.append(item);
    }
  }
  function write() { text.value = JSON.stringify(masks); }
  function changed(mask = -1, corner = -1) {
    write(); paint(); tell();
    const chip = list.querySelector(`[data-mask="${mask}"][data-corner="${corner}"]`);
    if (chip) chip.focus();
  }
  function moved(m, c) {
    write(); paint();
    const chip = list.querySelector(`[data-mask="${m}"][data-corner="${c}"]`);
    if (chip) chip.setAttribute("aria-label", cornerWords(c, masks[m][c]));
  }

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  list.addEventListener("keydown", (e) => {
    const chip = e.target.closest("[data-corner]");
    if (!chip) return;
    const m = Number(chip.dataset.mask), c = Number(chip.dataset.corner), step = STEPS[e.key];
    if (step) {
      e.preventDefault();
      const by = e.shiftKey ? 0.05 : 0.01, [x, y] = masks[m][c];
      masks[m][c] = [within(x + step[0] * by), within(y + step[1] * by)];
      moved(m, c);
    } else if (e.key === "Delete" || e.key === "Backspace") {
      e.preventDefault();
      if (masks[m].length <= LEAST) { say(_("A mask needs three corners.")); return; }
      masks[m].splice(c, 1);
      changed(m, Math.max(0, c - 1));
    }
  });

  // The pointer: where it is in the picture, as fractions.
  function where(e) {
    const box = svg.getScreenCTM().inverse(), p = new DOMPoint(e.clientX, e.clientY).matrixTransform(box);
    return [within(p.x / size[0]), within(p.y / size[1])];
  }
  function close(keep) {
    if (keep && drawing && drawing.length >= LEAST) { masks.push(drawing); say(_("Mask closed")); }
    drawing = null;
    at("draw").setAttribute("aria-pressed", "false");
    changed();
  }
  svg.addEventListener("pointerdown", (e) => {
    if (e.button) return;
    const here = where(e), hit = e.target.closest(".reach");
    if (drawing) {
      e.preventDefault();
      const [x, y] = drawing[0] || [9, 9];
      if (drawing.length >= LEAST && Math.hypot(here[0] - x, here[1] - y) < NEAR) close(true);
      else { drawing.push(here); paint(); }
    } else if (hit) {
      e.preventDefault();
      dragged = [Number(hit.dataset.mask), Number(hit.dataset.corner)];
      svg.setPointerCapture(e.pointerId);
    }
  });
  svg.addEventListener("pointermove", (e) => { if (dragged) { masks[dragged[0]][dragged[1]] = where(e); moved(...dragged); } });
  for (const kind of ["pointerup", "pointercancel"]) svg.addEventListener(kind, () => { dragged = null; });
  addEventListener("keydown", (e) => {
    if (!drawing) return;
    if (e.key === "Escape") { e.stopImmediatePropagation(); close(false); say(_("Let go")); }
    if (e.key === "Enter" && e.target === at("draw")) { e.preventDefault(); close(true); }
  }, true);

  at("draw").hidden = at("box").hidden = false;
  at("draw").addEventListener("click", () => {
    if (drawing) { close(true); return; }
    if (masks.length >= MOST) { say(_("There are enough masks.")); return; }
    drawing = [];
    at("draw").setAttribute("aria-pressed", "true");
    say(_("Tap the corners on the picture."));
    paint();
  });
  at("box").addEventListener("click", () => {
    if (masks.length >= MOST) { say(_("There are enough masks.")); return; }
    masks.push([[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]);
    changed(masks.length - 1, 0);
  });
  text.addEventListener("input", () => { read(); paint(); tell(); });

  // The overlay lies on the picture itself, whatever its shape.
  const picture = document.querySelector("#canvas img");
  function sized() { if (picture && picture.naturalWidth) { size = [picture.naturalWidth, picture.naturalHeight]; paint(); } }
  if (picture) { picture.addEventListener("load", sized); sized(); }
  read(); paint(); tell();
})();
