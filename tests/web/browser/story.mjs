// Plays a person who watches a run on a screen and answers it from a phone: each scene is named by the first argument.
// The others are the link, the run, the folder of the gates and signs, the folder for pictures.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BROWSER_TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [scene, link, run, gates, pictures] = process.argv.slice(2);
const base = new URL(link).origin;

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const faults = [];
// While the server is away a browser says so of itself.
let isAway = false;
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, hasTouch: true });
const page = await context.newPage();
page.on("console", (message) => { if (message.type() === "error" && !isAway) faults.push(`console: ${message.text()}`); });
page.on("pageerror", (error) => faults.push(`script: ${error}`));
page.on("request", (request) => { if (!request.url().startsWith(base)) faults.push(`fetched elsewhere: ${request.url()}`); });

const sign = (name) => fs.writeFileSync(`${gates}/${name}`, "");
const seen = async (name) => {
  for (let look = 0; look < 600 && !fs.existsSync(`${gates}/${name}`); look++) await new Promise((done) => setTimeout(done, 50));
  fs.rmSync(`${gates}/${name}`);
};
const expect = (holds, what) => { if (!holds) faults.push(what); };
const phone = { width: 360, height: 740 };
const screen = { width: 1280, height: 900 };

const check = async (name) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { width } = page.viewportSize();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide <= width, `${name}: ${wide} pixels wide on a screen of ${width}`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
    for (const { id, nodes } of found.violations) {
      faults.push(`${name}, ${colorScheme}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`);
    }
    await page.screenshot({ path: `${pictures}/${name}-${colorScheme}.png`, fullPage: true });
  }
};

// Two taps: what is to be done, and that it be done.
const tapTwice = async (words) => {
  await page.tap(`summary:text-is("${words}")`);
  await Promise.all([page.waitForEvent("load"), page.tap(`details[open] button:text-is("${words}")`)]);
};

const logIn = async () => {
  await page.goto(link);
  await page.tap("button");
  await page.waitForURL(`${base}/`);
};

const letters = () => page.evaluate(async (run) => (await (await fetch(`/api/v1/runs/${run}/marks`)).json()).letters, run);

const scenes = {
  // Watches, loses the server, finds it again, sends a task back, replays.
  async watch() {
    await logIn();
    await page.goto(`${base}/runs/${run}`);
    await page.waitForFunction(() => document.getElementById("link-state").textContent === "live");
    await page.waitForFunction(() => document.getElementById("graph").dataset.seq);
    await page.evaluate(() => { window.wasHereBefore = true; window.heading = document.querySelector("#head h1"); });

    // The picture is worked by keys.
    await page.focus("#graph canvas");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => /^t\d+ \w+: /.test(document.getElementById("graph-told").textContent));
    await page.keyboard.press("s");
    await page.keyboard.press("-");
    await page.keyboard.press("0");
    await check("run-watched");

    // What runs is shown as it prints.
    await page.waitForSelector("#now td code:text-is('one')");
    const other = await context.newPage();
    await other.goto(`${base}/runs/${run}/tasks/t1`);
    await other.waitForSelector("pre[data-log]:has-text('one')");
    await other.evaluate(() => { window.wasHereBefore = true; });
    sign("gate-more");
    await other.waitForSelector("pre[data-log]:has-text('two \\\\x1b[31m')");
    expect(await other.evaluate(() => window.wasHereBefore), "the task's page was loaded anew");
    await other.screenshot({ path: `${pictures}/task-streaming.png` });
    await other.close();

    // A form that is open is left alone while the page moves on.
    await page.bringToFront();
    await page.waitForFunction(() => document.querySelectorAll("#plan-list .k-kept").length === 1);
    await page.tap("#acts summary:text-is('Steer')");
    await page.fill("#acts details[open] textarea", "half a sent");

    // The server goes away and comes back.
    isAway = true;
    sign("server-away");
    await page.waitForFunction(() => document.getElementById("link-state").textContent.startsWith("no connection"));
    sign("gate-mend");
    sign("gate-last");
    sign("server-back-wanted");
    await seen("server-back");
    await page.waitForFunction(() => document.getElementById("link-state").textContent === "live");
    isAway = false;
    await page.waitForFunction(() => document.querySelectorAll("#plan-list .k-landed").length === 1);
    expect(await page.evaluate(() => window.wasHereBefore), "the run's page was loaded anew");
    expect(await page.evaluate(() => window.heading === document.querySelector("#head h1")), "what stayed the same was made anew");
    expect(await page.inputValue("#acts details[open] textarea") === "half a sent", "what was being written is gone");
    await page.tap("#acts summary:text-is('Steer')");

    // From a phone the task that is red is sent back, with what is wrong.
    await page.setViewportSize(phone);
    await page.goto(`${base}/inbox`);
    const card = page.locator("li.card", { has: page.locator("a[href$='/tasks/t2']") });
    expect(await card.count() === 1, "the task stands in the inbox once");
    await check("inbox-red");
    await card.locator("summary:text-is('Send back')").tap();
    await card.locator("textarea").first().fill("mind the <gap>\u202e & keep the order");
    await Promise.all([page.waitForEvent("load"), card.locator("details[open] button").tap()]);
    await page.goto(`${base}/runs/${run}`);
    await page.waitForFunction(() => document.querySelectorAll("#plan-list .k-landed").length === 2);
    await page.waitForFunction(() => document.querySelector("#head .w-good") !== null);
    await check("run-phone");
    await page.goto(`${base}/runs/${run}/tasks/t2`);
    await page.waitForSelector("dd:text-is('mind the <gap>\\\\u{202e} & keep the order')");
    await page.waitForSelector("table.diff .add i.h-k");
    await check("task-phone");

    // The past is looked at.
    await page.setViewportSize(screen);
    await page.goto(`${base}/runs/${run}/journal`);
    await page.waitForFunction(() => document.getElementById("graph").dataset.seq);
    await check("journal");
    const last = Number(await page.getAttribute("#replay-at", "max"));
    await page.evaluate(() => { window.wasHereBefore = true; });
    const lease = await page.evaluate(async (run) => {
      const page = await (await fetch(`/api/v1/runs/${run}/journal?kind=AttemptLeased`)).json();
      return page.rows.at(-1).seq;
    }, run);
    await page.focus("#replay-at");
    await page.evaluate((at) => {
      const slider = document.getElementById("replay-at");
      slider.value = at;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }, lease);
    await page.waitForFunction((at) => document.getElementById("then").dataset.at === String(at), lease);
    await page.waitForFunction((at) => document.getElementById("graph").dataset.seq === String(at), lease);
    expect((await page.textContent("#then")).includes("0 landed"), `nothing had landed at ${lease} of ${last}`);
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((at) => document.getElementById("then").dataset.at === String(at + 1), lease);
    expect(await page.evaluate(() => window.wasHereBefore), "the journal was loaded anew");
    await page.setViewportSize(phone);
    await check("replay-phone");
    await page.fill("input[name=text]", "landed");
    await Promise.all([page.waitForEvent("load"), page.tap("form.sieve button")]);
    expect((await page.locator("#rows tbody tr").count()) > 0, "what landed is found");
    expect((await letters()) === "ll", "both have landed");
  },

  // Raises what the run may use, so that it goes on.
  async raise() {
    await page.setViewportSize(phone);
    await logIn();
    await page.goto(`${base}/inbox`);
    await check("inbox-budget");
    await tapTwice("Raise the attempts");
    await page.goto(`${base}/runs/${run}`);
    await page.waitForFunction(() => document.querySelectorAll("#plan-list .k-landed").length === 2);
  },
};

// Refuses a candidate from a phone, with a reason that the next attempt hears of.
scenes.refuse = async () => {
  await page.setViewportSize(phone);
  await logIn();
  await page.goto(`${base}/inbox`);
  const card = page.locator("li.card", { has: page.locator("a[href$='/tasks/t1']") });
  await check("inbox-landing");
  await card.locator("summary:text-is('Refuse')").tap();
  await card.locator("details[open] textarea").fill("mind the gap");
  await Promise.all([page.waitForEvent("load"), card.locator("details[open] button:text-is('Refuse')").tap()]);
  expect(page.url() === `${base}/inbox`, `the refusal led to ${page.url()}`);
  await page.goto(`${base}/runs/${run}/tasks/t1`);
  await page.waitForSelector("dd:text-is('mind the gap'), li:has-text('mind the gap'), p:has-text('mind the gap')");
  const changes = page.locator("#attempt-t1\\.2 a[href$='/attempts/t1.2/diff']");
  await changes.waitFor();
  await check("task-refused");
  await Promise.all([page.waitForURL(`${base}/runs/${run}/attempts/t1.2/diff`), changes.tap()]);
  await page.waitForSelector("table.diff .add:has-text('minded')");
  await page.goto(`${base}/inbox`);
  expect(await card.locator("summary:text-is('Approve')").count() === 1, "the new candidate waits for a word of its own");
};

// Comes by a link on a page of another site, and goes on logged in.
scenes.link = async () => {
  const told = `${base}/runs/${run}/tasks/t1`;
  const cameTo = async () => {
    const other = await context.newPage();
    await other.goto(`data:text/html,<a href="${told}">there</a>`);
    let looks = 0;
    other.on("response", (answer) => { if (answer.url() === told) looks++; });
    await Promise.all([other.waitForURL(told), other.click("a")]);
    await other.waitForSelector("main h1");
    const [text, count] = [await other.textContent("main"), looks];
    await new Promise((done) => setTimeout(done, 1000));
    expect(looks === count, `it went on asking: ${looks} times`);
    await other.close();
    return [text, count];
  };
  isAway = true;
  const [refused, asked] = await cameTo();
  expect(refused.includes("nobody is logged in") && asked === 2, `${asked} looks: ${refused}`);
  isAway = false;
  // Who logs in comes to what was asked for.
  await page.goto(link);
  await page.tap("button");
  await page.waitForURL(told);
  isAway = true;
  const [shown, again] = await cameTo();
  expect(shown.includes("What it printed") && again === 2, `${again} looks: ${shown.slice(0, 400)}`);
};

scenes.hostile = async () => {
  page.on("dialog", (dialog) => { faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  await logIn();
  const of = `/runs/${run}`;
  const pages = {
    runs: "/", inbox: "/inbox", run: of, digest: `${of}/digest`, journal: `${of}/journal`, sifted: `${of}/journal?text=%3Cscript%3Ealert(5)%3C/script%3E`,
    task: `${of}/tasks/t1`, changes: `${of}/attempts/t1.1/diff`, none: "/runs/%3Cscript%3Ealert(4)%3C%2Fscript%3E",
  };
  const look = async (name, path) => {
    isAway = name === "none";
    await page.goto(base + path);
    const found = await page.evaluate(() => [document.scripts.length, document.images.length, document.querySelectorAll("[onload], [onerror]").length]);
    expect(found.join() === "1,0,0", `${name}: ${found} scripts, pictures, handlers`);
    const text = await page.evaluate(() => document.documentElement.outerHTML);
    expect(!/[\u0007\u001b\u202e]/.test(text), `${name} holds what acts`);
  };
  // While the plan waits for a word it stands on a page of its own.
  await look("plan", `${of}/plan`);
  expect((await page.inputValue("textarea.plan")).includes("<script>alert(1)</script>"), "the plan is what it is");
  await page.goto(`${base}/inbox`);
  await tapTwice("Approve the plan");
  await page.goto(base + of);
  await page.waitForFunction(() => document.querySelectorAll("#plan-list .k-landed").length === 1);
  for (const [name, path] of Object.entries(pages)) await look(name, path);
  isAway = false;
  await page.goto(base + of);
  await page.waitForFunction(() => document.getElementById("graph").dataset.seq);
  await page.focus("#graph canvas");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.getElementById("graph-told").textContent.includes("<script>alert(1)"));
  expect(!/[\u0007\u001b\u202e]/.test(await page.textContent("#graph-told")), "the title of the chosen task holds what acts");
  await check("run-hostile");
};

try {
  await scenes[scene]();
} catch (error) {
  faults.push(`${error}`);
  await page.screenshot({ path: `${pictures}/${scene}-broken.png`, fullPage: true }).catch(() => {});
  faults.push((await page.content().catch(() => "")).replace(/\s+/g, " ").slice(0, 3000));
}
await browser.close();
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
