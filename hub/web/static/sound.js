// Sound and vibration for open alerts, told apart by rhythm. Each device has its own settings; in a
// lockdown only the command desk sounds; in a drill of one all do, for what is real must be heard.
// Nothing sounds before somebody has asked for it here.
"use strict";
(() => {
  const { at, all, say } = window.vestibule;
  const { _ } = window.vestibuleWords;
  const RANK = { severe: 0, high: 1, check: 2, note: 3 }, AGAIN_MS = 5000, TICK_MS = 500, KEPT = 200;
  // Tones as [start, length, loudness] in seconds; vibration in milliseconds.
  const TONES = { severe: [[0, 0.4, 1], [0.55, 0.4, 1], [1.1, 0.4, 1]], high: [[0, 0.12, 0.8], [0.24, 0.12, 0.8]], check: [[0, 0.25, 0.35]] };
  const SHAKES = { severe: [400, 150, 400, 150, 400], high: [200, 100, 200], check: [80] };

  const read = (store, key, other) => { try { return JSON.parse(store.getItem(key)) || other; } catch { return other; } };
  const write = (store, key, value) => { try { store.setItem(key, JSON.stringify(value)); } catch { /* not kept */ } };
  const set = { on: false, shake: true, desk: false, volume: 70, ...read(localStorage, "sound", {}) };
  const keep = () => write(localStorage, "sound", set);
  let played = [...read(sessionStorage, "sounded", [])], heard = new Set(read(sessionStorage, "heard", []));

  let context = null;
  function output() {
    if (!context && window.AudioContext) context = new AudioContext();
    if (context && context.state === "suspended") context.resume().catch(() => {});
    return context;
  }
  function tones(kind) {
    const out = output();
    if (!out || out.state !== "running") return false;
    for (const [start, length, loud] of TONES[kind]) {
      const at0 = out.currentTime + 0.02 + start, gain = out.createGain(), peak = loud * set.volume / 100 * 0.5;
      gain.gain.setValueAtTime(0, at0);
      gain.gain.linearRampToValueAtTime(peak, at0 + 0.015);
      gain.gain.setValueAtTime(peak, at0 + length - 0.03);
      gain.gain.linearRampToValueAtTime(0, at0 + length);
      gain.connect(out.destination);
      for (const pitch of [880, 1320]) { const tone = out.createOscillator(); tone.type = "triangle"; tone.frequency.value = pitch; tone.connect(gain); tone.start(at0); tone.stop(at0 + length); }
    }
    return true;
  }
  const log = [];
  function play(kind, loud = true) {
    const sounded = loud && tones(kind);
    if (set.shake && navigator.vibrate) navigator.vibrate(SHAKES[kind]);
    log.push({ kind, sounded, at: Date.now() });
    if (log.length > KEPT) log.shift();
    return sounded;
  }

  // Which alerts are open, and for which of them this device has sounded or been touched since.
  const place = at("sounding");
  const open = () => (place.dataset.open || "").split(" ").filter(Boolean).map((each) => each.split(":")).filter(([, kind]) => TONES[kind] && RANK[kind] <= RANK[place.dataset.from]);
  const silenced = () => place.dataset.dark === "1" && !set.desk;
  let again = 0;
  function tick() {
    if (!set.on || !place) return;
    const now = open(), fresh = now.filter(([id]) => !played.includes(id));
    const severe = now.filter(([id, kind]) => kind === "severe" && !heard.has(id));
    if (fresh.length) {
      const kind = fresh.map(([, each]) => each).sort((a, b) => RANK[a] - RANK[b])[0];
      play(kind, !silenced());
      played = [...played, ...fresh.map(([id]) => id)].slice(-KEPT);
      write(sessionStorage, "sounded", played);
      again = Date.now() + AGAIN_MS;
    } else if (severe.length && Date.now() >= again) {
      play("severe", !silenced());
      again = Date.now() + AGAIN_MS;
    }
    bar();
  }
  function touched() {
    for (const [id] of open()) if (played.includes(id)) heard.add(id);
    write(sessionStorage, "heard", [...heard].slice(-KEPT));
    if (set.on) output();
  }
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, touched, { capture: true, passive: true });

  // What the page says about it.
  function bar() {
    const out = set.on ? output() : null;
    at("blocked").hidden = !set.on || silenced() || Boolean(out && out.state === "running");
    const button = at("sound-on");
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(set.on));
    const words = set.on ? (silenced() ? button.dataset.dark : button.dataset.on) : button.dataset.off;
    if (button.lastElementChild.textContent !== words) button.lastElementChild.textContent = words;
  }
  async function turn(on) {
    set.on = on; keep();
    if (on) {
      const out = output();
      if (out && out.state !== "running") await out.resume().catch(() => {});
      say(play("severe") ? _("Sound is on. This is how a severe alert sounds.") : _("Sound blocked"));
    } else say(_("Sound is off on this device"));
    bar(); show();
  }
  if (at("sound-on")) at("sound-on").addEventListener("click", () => turn(!set.on));
  at("blocked").querySelector("button").addEventListener("click", () => turn(true));

  // The settings, on the page of one's account.
  const box = at("sounds-set");
  function show() {
    if (!box) return;
    for (const name of ["on", "shake", "desk"]) box.querySelector(`[name=${name}]`).checked = set[name];
    box.querySelector("[name=volume]").value = set.volume;
  }
  if (box) {
    box.hidden = false; at("sounds-none").hidden = true;
    box.addEventListener("change", (e) => {
      const { name } = e.target;
      if (name === "on") { turn(e.target.checked); return; }
      if (name === "volume") { set.volume = Number(e.target.value); keep(); play("check"); return; }
      set[name] = e.target.checked; keep(); bar();
    });
    for (const each of all("[data-try]", box)) each.addEventListener("click", () => { output(); setTimeout(() => { if (!play(each.dataset.try)) say(_("Sound blocked")); }, 60); });
  }
  show(); bar();
  setInterval(tick, TICK_MS);
  window.vestibuleSound = { log };
})();
