// Passkeys: signing in with one, and making one. Without this script everything else still works.
"use strict";
(() => {
  const { _ } = window.vestibuleWords;
  const able = isSecureContext && "credentials" in navigator && "PublicKeyCredential" in window;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  function say(near, words) {
    const place = near.closest("form").querySelector("[data-passkey-said]");
    place.textContent = words;
    place.hidden = !words;
  }
  async function send(path, csrf, body, type) {
    const headers = { "X-CSRF-Token": csrf, "Content-Type": type };
    const answer = await fetch(path, { method: "POST", headers, body });
    if (answer.ok) return answer;
    throw new Error((await answer.json().catch(() => ({}))).problem || _("The hub did not take it. Load the page again, then try once more."));
  }
  const json = (path, csrf, body) => send(path, csrf, JSON.stringify(body), "application/json");
  function words(problem) {
    if (problem.name === "NotAllowedError") return _("The device was not asked to the end, or has no passkey for this address. Nothing was changed.");
    if (problem.name === "SecurityError") return _("This address cannot have passkeys. They need HTTPS with a name, or localhost.");
    if (problem.name === "InvalidStateError") return _("This device has a passkey for your account already.");
    return problem.message;
  }
  function told(made) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[name]) response[name] = text(made.response[name]);
    }
    return { id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} };
  }

  async function signIn(button) {
    const csrf = button.dataset.csrf;
    const asked = await (await json("/signin/passkey/ask", csrf, {})).json();
    const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: [] };
    const made = await navigator.credentials.get({ publicKey });
    const answer = await (await json("/signin/passkey", csrf, { credential: told(made), next: button.dataset.next })).json();
    location.assign(answer.next);
  }
  async function prove(button) {
    const csrf = button.dataset.csrf;
    const asked = await (await json("/me/proof/ask", csrf, {})).json();
    const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: [] };
    const made = await navigator.credentials.get({ publicKey });
    await json("/me/proof", csrf, { credential: told(made) });
    button.closest("form").submit();  // as it is: what is proven needs no password
  }
  async function make(form) {
    const csrf = form.dataset.csrf, name = form.elements.name.value;
    const password = new URLSearchParams({ password: form.elements.password.value });
    const asked = await (await send("/me/passkeys/ask", csrf, password, "application/x-www-form-urlencoded")).json();
    const excludeCredentials = (asked.excludeCredentials || []).map((each) => ({ ...each, id: bytes(each.id) }));
    const user = { ...asked.user, id: bytes(asked.user.id) };
    const made = await navigator.credentials.create({ publicKey: { ...asked, challenge: bytes(asked.challenge), user, excludeCredentials } });
    const answer = await json("/me/passkeys", csrf, { credential: told(made), name });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    document.querySelector("main").replaceWith(document.adoptNode(fresh));
    offer();
    window.scrollTo(0, 0);
    fresh.focus();
  }

  async function attempt(near, button, act) {
    say(near, "");
    button.disabled = true;
    try { await act(); } catch (problem) { say(near, words(problem)); } finally { button.disabled = false; }
  }
  function offer() {
    if (!able) return;
    for (const each of document.querySelectorAll("[data-passkey], [data-passkey-or], [data-passkey-fields]")) each.hidden = false;
    for (const button of document.querySelectorAll("[data-passkey='sign-in']")) button.onclick = () => attempt(button, button, () => signIn(button));
    for (const button of document.querySelectorAll("[data-passkey='prove']")) button.onclick = () => attempt(button, button, () => prove(button));
    for (const form of document.querySelectorAll("[data-passkey-form]")) form.onsubmit = (event) => {
      event.preventDefault();
      attempt(form, form.querySelector("button"), () => make(form));
    };
  }
  offer();
})();
