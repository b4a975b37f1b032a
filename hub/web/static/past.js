// Figures over time, drawn with uPlot; the tables beneath say the same without it.
"use strict";
(() => {
  const { all, at } = window.vestibule;
  const { _, locale } = window.vestibuleWords;
  const box = at("charts");
  if (!box || !window.uPlot) return;
  const zone = document.body.dataset.zone, HIGH = 168, EVERY_MS = 60000;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clock = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(locale, { timeZone: zone, weekday: "short", day: "numeric", month: "short" });
  const said = (value) => (value === null || value === undefined ? "–" : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
  const drawn = new Map();

  function options(chart, hours) {
    const text = colour("--text-2"), line = colour("--line"), font = `13px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font };
    const ticks = (u, splits) => splits.map((s) => (hours > 24 ? day : clock).format(s * 1000));
    return {
      width: chart.clientWidth, height: HIGH, tzDate: (s) => window.uPlot.tzDate(new Date(s * 1000), zone),
      cursor: { sync: { key: "past" }, drag: { x: false, y: false } },
      scales: { y: { range: (u, least, most) => [0, (most || 1) * 1.1] } },
      axes: [{ ...axis, values: ticks, space: 90 }, { ...axis, size: 56, values: (u, splits) => splits.map((s) => (s >= 10000 ? `${s / 1000}k` : String(Math.round(s * 100) / 100))) }],
      series: [
        { value: (u, s) => (s === null ? "–" : `${day.format(s * 1000)}, ${clock.format(s * 1000)}`), label: _("Time") },
        { label: _("Value"), stroke: colour("--check"), width: 2, fill: colour("--check-wash"), spanGaps: false, value: (u, value) => said(value), points: { show: (u, s, i0, i1) => i1 - i0 < 3 } },
      ],
    };
  }

  async function show() {
    let view;
    try {
      const answer = await fetch(`/api/v1/health/past?about=${encodeURIComponent(box.dataset.about)}&hours=${box.dataset.hours}`, { cache: "no-store" });
      if (!answer.ok) return;
      view = await answer.json();
    } catch { return; /* the bar says that the link is lost */ }
    for (const figure of view.figures) {
      const chart = box.querySelector(`[data-key="${figure.key}"]`);
      if (!chart) continue;
      const known = drawn.get(chart), data = [view.times, figure.values];
      if (known) known.setData(data); else drawn.set(chart, new window.uPlot(options(chart, view.hours), data, chart));
    }
  }
  function anew() {
    for (const [chart, plot] of drawn) { plot.destroy(); drawn.delete(chart); }
    show();
  }
  new ResizeObserver(() => { for (const [chart, plot] of drawn) if (chart.clientWidth !== plot.width) plot.setSize({ width: chart.clientWidth, height: HIGH }); }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  for (const each of all(".choose select")) each.addEventListener("change", () => each.form.requestSubmit());
  show();
  setInterval(() => { if (!document.hidden) show(); }, EVERY_MS);
})();
