// Shows what the hub pushes to this browser, and opens the page it is about. It answers no requests
// and keeps nothing.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let told = {};
  try { told = event.data.json(); } catch { /* shown without words of its own */ }
  const time = Date.parse(told.time);
  event.waitUntil(self.registration.showNotification(told.title || "News from the school", {
    body: told.body || "",
    tag: told.tag || "",
    renotify: Boolean(told.tag),
    requireInteraction: told.severity === "severe",
    icon: "/static/mark.svg",
    lang: "",
    timestamp: Number.isNaN(time) ? Date.now() : time,
    data: { path: told.path || "/" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const here = self.location.origin;
  let page = new URL(event.notification.data.path, here);
  if (page.origin !== here) page = new URL("/", here);
  event.waitUntil((async () => {
    for (const each of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
      if (new URL(each.url).pathname === page.pathname) return each.focus();
    }
    return self.clients.openWindow(page.href);
  })());
});
