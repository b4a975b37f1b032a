// While a rule is tried the bar moves along, and the page shows what was found once it is there.
"use strict";
(() => {
  const { _ } = window.vestibuleWords;
  const { at, say } = window.vestibule;
  const EVERY_MS = 700, AGAIN_MS = 3000;

  async function follow(card) {
    let wait = EVERY_MS;
    try {
      const answer = await fetch(`/api/v1/rule-trials/${card.dataset.trial}`, { cache: "no-store" });
      if (!answer.ok) return;
      const trial = await answer.json();
      if (trial.state !== "waits" && trial.state !== "runs") {
        say(_("The trial is over"));
        location.reload();
        return;
      }
      const bar = at("bar");
      if (bar && trial.of) { bar.max = trial.of; bar.value = trial.done; }
    } catch { wait = AGAIN_MS; }
    setTimeout(() => follow(card), wait);
  }
  const card = document.querySelector("[data-trial]");
  if (card) setTimeout(() => follow(card), EVERY_MS);
})();
