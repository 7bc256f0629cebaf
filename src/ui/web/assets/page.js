// Keeps a page as it stands on the server: listens for events, asks for the page anew, and changes only what differs.
// Without it the page is the same, and stands still.
const body = document.body;
const sign = document.getElementById("link-state");
const say = (words) => { if (sign && sign.textContent !== words) sign.textContent = words; };

// How long one frame may be worked in, in milliseconds.
const FRAME = 2;
// Characters of what an attempt prints that are kept.
const KEPT = 400000;

const key = (node) => node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || null : null;

// What somebody is at must not be pulled from under their hands.
const inUse = (node) => node.nodeType === Node.ELEMENT_NODE
  && ((node !== body && node.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"))
    || node.matches("details.act[open]") || node.querySelector("details.act[open]") !== null);

const attributes = (from, to) => {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.localName === "details")) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (name === "open" && from.localName === "details") continue;
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
};

// Makes one node like another by the fewest changes.
const morph = (from, to) => {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
    if (!inUse(from)) from.replaceWith(document.importNode(to, true));
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  if (from.isEqualNode(to)) return;
  if (from.matches("details.act[open]") || (from.localName === "form" && inUse(from))) return;
  // What streams in of itself is not set back, nor what is drawn.
  if ((from.dataset.log && to.dataset.log) || from.hasAttribute("data-plot")) return;
  // Each drawing of a form has a key of its own; one of them is as good as another.
  if (from.localName === "input" && from.name === "key") return;
  attributes(from, to);
  children(from, to);
};

const children = (from, to) => {
  const keyed = new Map();
  for (const child of from.children) { const name = key(child); if (name) keyed.set(name, child); }
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    const name = key(next);
    const mine = name ? keyed.get(name) : null;
    if (mine) {
      if (mine === at) at = at.nextSibling; else from.insertBefore(mine, at);
      keyed.delete(name);
      morph(mine, next);
      continue;
    }
    if (!name && at && !key(at) && at.nodeType === next.nodeType && at.nodeName === next.nodeName) {
      const after = at.nextSibling;
      morph(at, next);
      at = after;
      continue;
    }
    from.insertBefore(document.importNode(next, true), at);
  }
  while (at) {
    const after = at.nextSibling;
    if (!inUse(at)) at.remove();
    at = after;
  }
};

// Notes how long a frame was worked in, its layout and painting included, for who measures that.
export const worked = (begun) => {
  if (!globalThis.artelFrames) return;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => globalThis.artelFrames.push(performance.now() - begun);
  port2.postMessage(0);
};

const frame = () => new Promise((done) => { document.hidden ? setTimeout(done, 0) : requestAnimationFrame(done); });

// Brings every part up to date, a few in each frame.
const swap = async (next) => {
  await frame();
  let begun = performance.now();
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(part.id);
    if (!fresh || fresh.hasAttribute("data-keep") || fresh.isEqualNode(part)) continue;
    if (performance.now() - begun > FRAME) {
      worked(begun);
      await frame();
      begun = performance.now();
    }
    morph(part, fresh);
  }
  worked(begun);
  document.dispatchEvent(new Event("artel:shown"));
};

let busy = false, again = null;

// Of two that are to be asked, what shows all that either would.
const wide = (one, other) => {
  if (!one) return other;
  const live = one.live === "0" || other.live === "0" ? { live: "0" } : {};
  return one.only && other.only ? { ...other, ...live } : live;
};

// Asks for a page anew and shows what is new on it; what is asked meanwhile is asked after that.
export const load = async (query = {}) => {
  if (busy) { again = wide(again, query); return; }
  busy = true;
  try {
    const url = new URL(location.href);
    url.searchParams.set("live", "1");
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const answer = await fetch(url, { headers: { accept: "text/html" }, cache: "no-store" });
    if (answer.status === 401) { say("logged out"); return; }
    if (answer.ok) {
      await swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (!body.dataset.events) say("live");
    }
  } catch { say("no connection, trying again"); } finally {
    busy = false;
    if (again) { const wanted = again; again = null; load(wanted); }
  }
};

let due = false;
const soon = () => {
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    document.dispatchEvent(new Event("artel:news"));
    load();
  }, 300);
};

document.addEventListener("artel:grown", () => load({ live: "0" }));

const about = body.dataset.about && new RegExp(`"${body.dataset.about}["./]`);
// What changes how every task stands: where its run does, what others have landed, and what waits for what.
const forAll = /"kind":"(BatchLanded|Run|Gate|Plan|Stopping|Draining|Resumed|TasksEmitted|TaskDropped|WordOverdue)/;
let events = null, last = null, wasLost = false;

// Comes back by itself, and tells the last event that it has; while nobody looks it holds no connection.
const listen = () => {
  const url = new URL(body.dataset.events, location.href);
  if (last) url.searchParams.set("after", last);
  events = new EventSource(url);
  events.onopen = () => {
    say("live");
    if (wasLost) soon();
    wasLost = false;
  };
  events.onmessage = (event) => {
    last = event.lastEventId || last;
    if (!about || about.test(event.data) || forAll.test(event.data)) soon();
  };
  events.onerror = () => {
    wasLost = true;
    say("no connection, trying again");
    if (events.readyState === EventSource.CLOSED) { events = null; setTimeout(() => { if (!events && !document.hidden) listen(); }, 3000); }
  };
};

if (body.dataset.events) {
  listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { events?.close(); events = null; return; }
    if (!events) { wasLost = true; listen(); }
  });
}
if (body.dataset.poll) setInterval(() => { if (!document.hidden) load(); }, Number(body.dataset.poll));

// Adds what running attempts print, as they print it.
const follow = async () => {
  for (const log of document.querySelectorAll("pre[data-log]")) {
    if (document.hidden || !log.closest("details")?.open) continue;
    try {
      const answer = await fetch(`${log.dataset.log}?from=${log.dataset.next}`, { cache: "no-store" });
      if (!answer.ok) continue;
      const text = await answer.text();
      log.dataset.next = answer.headers.get("artel-next") ?? log.dataset.next;
      if (!text) continue;
      const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.append(text);
      if (log.textContent.length > KEPT) log.textContent = `…${log.textContent.slice(-KEPT / 2)}`;
      if (isAtEnd) log.scrollTop = log.scrollHeight;
    } catch { /* The next look tells. */ }
  }
  setTimeout(follow, 500);
};
if (document.getElementById("attempts")) follow();

// Shows the board as it was where the slider stands.
const slider = document.getElementById("replay-at");
if (slider) {
  const number = document.getElementById("replay-number");
  const go = (at) => {
    const url = new URL(location.href);
    url.searchParams.set("at", at);
    history.replaceState(null, "", url);
    [slider.value, number.value] = [at, at];
    document.dispatchEvent(new CustomEvent("artel:at", { detail: at }));
    load({ only: "then" });
  };
  slider.addEventListener("input", () => go(slider.value));
  document.getElementById("replay-form").addEventListener("submit", (event) => { event.preventDefault(); go(number.value); });
}

if (document.getElementById("graph")) import("/static/graph.js");
if (document.getElementById("burn")) import("/static/charts.js");
