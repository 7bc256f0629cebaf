// Keeps a page as it stands on the server: listens for events and puts new parts in the place of old ones. Without it the
// page is the same, and stands still.
"use strict";
(() => {
  const body = document.body;
  const sign = document.getElementById("link-state");
  const say = (words) => { if (sign) sign.textContent = words; };
  let due = false, busy = false, again = false;

  // What somebody is at must not be pulled from under their hands.
  const inUse = (part) => part.contains(document.activeElement) && document.activeElement !== body
    || part.querySelector("details.act[open]") !== null;

  const swap = (next) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.getElementById(part.id);
      if (!fresh || inUse(part) || fresh.innerHTML === part.innerHTML) continue;
      const open = new Set([...part.querySelectorAll("details[open][id]")].map((it) => it.id));
      part.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    }
  };

  const load = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.status === 401) { say("logged out"); return; }
      if (answer.ok) {
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
        if (!body.dataset.events) say("live");
      }
    } catch { say("no connection, trying again"); } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  };

  const soon = () => {
    if (due) return;
    due = true;
    setTimeout(() => { due = false; load(); }, 500);
  };

  if (body.dataset.events) {
    // The browser comes back by itself, and tells the last event that it has.
    const events = new EventSource(body.dataset.events);
    events.onopen = () => say("live");
    events.onmessage = soon;
    events.onerror = () => say("no connection, trying again");
  }
  if (body.dataset.poll) setInterval(() => { if (!document.hidden) load(); }, Number(body.dataset.poll));
})();
