// Draws the plan as a picture that can be moved and sized: scopes as boxes in boxes, tasks by how they stand. What it
// shows stands in the list beside it too. Follows events by a letter for each task.
import { worked } from "/static/page.js";

const root = document.getElementById("graph");
const canvas = root.querySelector("canvas");
const told = document.getElementById("graph-told");
const list = document.getElementById("plan-list");
const pen = canvas.getContext("2d");

// Each letter: how the task stands, the sign for it, and which colours it has.
const STANDS = {
  w: ["waiting", "·", "plain"], y: ["ready", "○", "plain"], r: ["running", "▸", "busy"], j: ["judging", "⚖", "busy"],
  g: ["gated", "‖", "warn"], q: ["queued", "⇢", "busy"], l: ["landed", "✓", "good"], n: ["nothing", "–", "good"], k: ["kept", "!", "bad"],
  b: ["blocked", "?", "bad"], d: ["dropped", "×", "bad"], v: ["reverted", "↺", "bad"],
};
const SIZES = { least: 1.5, most: 80, name: 34, sign: 9 };

let plan = null, places = null, critical = new Set(), chosen = -1, at = null, due = false, colours = null, boxes = null;
let wasMoved = false;
// The tasks that are to be drawn anew where nothing else is; none where all is.
let stale = new Set();
const view = { x: 0, y: 0, size: 10 };

const readColours = () => {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  colours = { ground: read("ground"), raised: read("raised"), ink: read("ink"), faint: read("faint"), edge: read("edge"), focus: read("focus") };
  for (const hue of ["good", "bad", "busy", "warn", "plain"]) colours[hue] = [read(hue), read(`${hue}-ink`), read(`bar-${hue}`)];
};

const draw = () => {
  due = false;
  if (!plan) return;
  const begun = performance.now();
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.width / ratio, canvas.height / ratio];
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { x: left, y: top, size } = view;
  const isSeen = (x, y, wide, high) => x + wide > 0 && y + high > 0 && x < width && y < height;
  const some = stale;
  stale = new Set();
  if (some) {
    drawTasks(some, size, left, top, isSeen);
    return worked(begun);
  }
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, width, height);
  for (const box of plan.scopes) {
    const [x, y, wide, high] = [(box.x - left) * size, (box.y - top) * size, box.width * size, box.height * size];
    if (!isSeen(x, y, wide, high)) continue;
    pen.fillStyle = box.depth % 2 ? colours.ground : colours.raised;
    pen.fillRect(x, y, wide, high);
    pen.strokeStyle = colours.edge;
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 0.5, wide, high);
    if (wide > 60) {
      pen.save();
      pen.beginPath();
      pen.rect(x, y, wide - 4, Math.max(size * 2, 16));
      pen.clip();
      pen.fillStyle = colours.ink;
      pen.font = `${Math.min(14, Math.max(10, size * 0.8))}px system-ui, sans-serif`;
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillText(`${box.scope} ${box.title}`, x + 5, y + 3);
      pen.restore();
    }
  }
  drawWaits(size, left, top);
  drawTasks(plan.tasks.keys(), size, left, top, isSeen);
  worked(begun);
};

const drawWaits = (size, left, top) => {
  const middle = (task) => [(task[1] + 0.5 - left) * size, (task[2] + 0.5 - top) * size];
  const line = (waits, colour, width) => {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    for (const [from, to] of waits) {
      pen.moveTo(...middle(plan.tasks[to]));
      pen.lineTo(...middle(plan.tasks[from]));
    }
    pen.stroke();
  };
  if (plan.waits.length <= 400 || size > 14) line(plan.waits, colours.edge, 1);
  line(plan.waits.filter(([from, to]) => critical.has(plan.tasks[from][0]) && critical.has(plan.tasks[to][0])), colours.ink, 1.5);
  if (chosen >= 0) line(plan.waits.filter((pair) => pair.includes(chosen)), colours.focus, 2);
};

const drawTasks = (numbers, size, left, top, isSeen) => {
  const gap = Math.min(2, size / 8), letters = plan.marks.letters;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.font = `${size > SIZES.name ? size * 0.26 : size * 0.62}px system-ui, sans-serif`;
  for (const number of numbers) {
    const [name, column, row] = plan.tasks[number];
    const letter = letters[number];
    const [x, y, side] = [(column - left) * size + gap / 2, (row - top) * size + gap / 2, size - gap];
    if (!isSeen(x, y, side, side)) continue;
    const [, mark, hue] = STANDS[letter] ?? STANDS.w;
    const [ground, ink, bar] = colours[hue];
    // What was not yet handed out then is a frame alone.
    if (letter) {
      pen.fillStyle = size > SIZES.sign ? ground : bar;
      pen.fillRect(x, y, side, side);
    }
    if (letter && size > SIZES.sign) {
      pen.fillStyle = ink;
      pen.fillText(size > SIZES.name ? `${mark} ${name}` : mark, x + side / 2, y + side / 2 + 0.5);
    }
    const isCritical = critical.has(name);
    if (size > SIZES.sign || isCritical || !letter) {
      pen.strokeStyle = isCritical ? colours.ink : letter ? bar : colours.edge;
      pen.lineWidth = isCritical ? Math.max(1.5, size / 12) : 1;
      pen.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
    }
    if (number === chosen) {
      pen.strokeStyle = colours.focus;
      pen.lineWidth = Math.max(2, size / 8);
      pen.strokeRect(x - 1, y - 1, side + 2, side + 2);
    }
  }
};

const frame = () => { if (!due) { due = true; requestAnimationFrame(draw); } };
const soon = () => { stale = null; frame(); };

const fit = (box) => {
  const { x, y, width, height } = box ?? { x: 0, y: 0, width: plan.width, height: plan.height };
  const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
  view.size = Math.min(SIZES.most / 2, Math.max(SIZES.least, Math.min(wide / (width + 1), high / (height + 1))));
  view.x = x + width / 2 - wide / 2 / view.size;
  view.y = y + height / 2 - high / 2 / view.size;
  soon();
};

const zoom = (by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
  const size = Math.min(SIZES.most, Math.max(SIZES.least, view.size * by));
  view.x += x / view.size - x / size;
  view.y += y / view.size - y / size;
  view.size = size;
  wasMoved = true;
  soon();
};

// A title is another's text: nothing in it acts, and it is short.
const inert = (title) => title.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").slice(0, 120);

const stands = (number) => (STANDS[plan.marks.letters[number]] ?? ["not yet handed out"])[0];

// Says what is chosen, at once what is known, then its title.
const tell = async () => {
  if (chosen < 0) return;
  const [name] = plan.tasks[chosen];
  const words = `${name} ${stands(chosen)}${critical.has(name) ? ", on the longest way" : ""}`;
  told.href = root.dataset.task + name;
  told.textContent = words;
  told.hidden = false;
  try {
    const answer = await fetch(root.dataset.told + name, { cache: "no-store" });
    const task = answer.ok ? await answer.json() : null;
    if (task && plan.tasks[chosen]?.[0] === name) told.textContent = `${words}: ${inert(task.title)}`;
  } catch { /* What is known is said. */ }
};

const choose = (number) => {
  if (number < 0 || number >= plan.tasks.length) return;
  chosen = number;
  const [, x, y] = plan.tasks[number];
  const [wide, high] = [canvas.clientWidth / view.size, canvas.clientHeight / view.size];
  if (x < view.x || x + 1 > view.x + wide) view.x = x + 0.5 - wide / 2;
  if (y < view.y || y + 1 > view.y + high) view.y = y + 0.5 - high / 2;
  soon();
  tell();
};

// Finds the nearest task in a direction.
const towards = (across, down) => {
  if (chosen < 0) return choose(0);
  const [, x, y] = plan.tasks[chosen];
  let best = -1, least = Infinity;
  plan.tasks.forEach(([, otherX, otherY], number) => {
    const ahead = (otherX - x) * across + (otherY - y) * down;
    const aside = Math.abs((otherX - x) * down) + Math.abs((otherY - y) * across);
    const cost = ahead + 3 * aside;
    if (ahead > 0 && cost < least) [best, least] = [number, cost];
  });
  choose(best);
};

const along = (own, other) => {
  const next = plan.waits.find((pair) => pair[own] === chosen);
  if (next) choose(next[other]);
};

const scopeOf = (number) => {
  const [, x, y] = plan.tasks[number] ?? [0, -1, -1];
  return plan.scopes.filter((box) => x > box.x && y > box.y && x < box.x + box.width && y < box.y + box.height).at(-1);
};

const acts = {
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
  fit: () => { wasMoved = false; fit(); },
  scope: () => { wasMoved = true; fit(scopeOf(chosen)); },
};
const keys = {
  ArrowLeft: () => towards(-1, 0), ArrowRight: () => towards(1, 0), ArrowUp: () => towards(0, -1), ArrowDown: () => towards(0, 1),
  "+": acts.in, "=": acts.in, "-": acts.out, 0: acts.fit, s: acts.scope, "<": () => along(0, 1), ">": () => along(1, 0),
  Enter: () => { if (chosen >= 0) location.assign(root.dataset.task + plan.tasks[chosen][0]); },
};

const hands = new Map();
let hasMoved = false;

const listen = () => {
  root.addEventListener("click", (event) => acts[event.target.dataset?.graphDo]?.());
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    hands.set(event.pointerId, [event.clientX, event.clientY]);
    hasMoved = false;
  });
  canvas.addEventListener("pointermove", (event) => {
    const was = hands.get(event.pointerId);
    if (!was) return;
    const now = [event.clientX, event.clientY];
    const [across, down] = [now[0] - was[0], now[1] - was[1]];
    if (!hasMoved && Math.hypot(across, down) < 4) return;
    hasMoved = true;
    if (!canvas.hasPointerCapture(event.pointerId)) canvas.setPointerCapture(event.pointerId);
    const other = [...hands].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const edge = canvas.getBoundingClientRect();
      zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(was[0] - other[0], was[1] - other[1])),
        (now[0] + other[0]) / 2 - edge.left, (now[1] + other[1]) / 2 - edge.top);
    } else {
      view.x -= across / view.size;
      view.y -= down / view.size;
      wasMoved = true;
      soon();
    }
    hands.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => hands.delete(event.pointerId));
  canvas.addEventListener("click", (event) => {
    if (hasMoved) return;
    const [column, row] = [Math.floor(view.x + event.offsetX / view.size), Math.floor(view.y + event.offsetY / view.size)];
    const number = places.get(`${column} ${row}`);
    if (number !== undefined) choose(number);
  });
  canvas.addEventListener("dblclick", acts.scope);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); soon(); });
  new ResizeObserver(() => {
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width === wide && canvas.height === high) return;
    const isFirst = canvas.width <= 300 && plan && !canvas.dataset.sized;
    [canvas.width, canvas.height] = [wide, high];
    canvas.dataset.sized = "1";
    if (isFirst) fit(); else soon();
  }).observe(canvas);
};

// The boxes of the list, by the names of their tasks.
const chips = () => {
  if (!boxes || boxes.size !== plan.tasks.length) boxes = new Map([...list.querySelectorAll("a.k")].map((box) => [box.textContent, box]));
  return boxes;
};

const mark = (marks) => {
  const before = plan.marks.letters, wasCritical = critical;
  plan.marks = marks;
  critical = new Set(marks.critical);
  plan.tasks.forEach(([name], number) => {
    const letter = marks.letters[number];
    if (letter === before[number] && critical.has(name) === wasCritical.has(name)) return;
    // What was not handed out yet then is drawn over nothing.
    if (letter === undefined) stale = null; else stale?.add(number);
    const box = list && at === null && chips().get(name);
    if (box) box.className = `k k-${STANDS[letter]?.[0] ?? "waiting"}${critical.has(name) ? " k-crit" : ""}`;
  });
  // The lines along the longest way lie below the tasks.
  if (marks.critical.join() !== [...wasCritical].join()) stale = null;
  if (marks.letters !== before && plan.marks.letters[chosen] !== before[chosen]) tell();
  root.dataset.seq = marks.seq;
  frame();
};

const ask = async (path) => {
  const answer = await fetch(at === null ? path : `${path}?at=${at}`, { cache: "no-store" });
  return answer.ok ? answer.json() : null;
};

let asking = false, again = false;

// Asks how the tasks stand; where more were handed out, where they lie too.
const look = async () => {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const marks = plan && await ask(root.dataset.marks);
    if (marks && (at !== null || marks.letters.length === plan.tasks.length)) {
      mark(marks);
    } else {
      await layOut();
    }
  } catch { /* The page says that there is no connection. */ } finally {
    asking = false;
    if (again) { again = false; look(); }
  }
};

const layOut = async () => {
  const answer = await fetch(root.dataset.graph, { cache: "no-store" });
  if (!answer.ok) return;
  const isFirst = !plan;
  plan = await answer.json();
  for (const box of plan.scopes) box.title = inert(box.title);
  places = new Map(plan.tasks.map(([, x, y], number) => [`${x} ${y}`, number]));
  critical = new Set(plan.marks.critical);
  boxes = null;
  root.hidden = plan.tasks.length === 0;
  root.dataset.seq = plan.marks.seq;
  if (!wasMoved) fit();
  if (!isFirst) document.dispatchEvent(new Event("artel:grown"));
};

readColours();
listen();
at = document.getElementById("then") && new URL(location.href).searchParams.get("at") || null;
await layOut();
if (at !== null) await look();
document.addEventListener("artel:news", () => { if (at === null) look(); });
document.addEventListener("artel:at", (event) => { at = event.detail; look(); });
