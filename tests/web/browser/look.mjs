// Plays a person with a phone: logs in, looks at every page, approves in two taps, watches the run live until it is done.
// Told by its arguments: the link, the run, the folder of the gates, the folder for pictures.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BROWSER_TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [link, run, gates, pictures] = process.argv.slice(2);
const base = new URL(link).origin;

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const faults = [];
const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true });
const page = await context.newPage();
page.on("console", (message) => { if (message.type() === "error") faults.push(`console: ${message.text()}`); });
page.on("pageerror", (error) => faults.push(`script: ${error}`));
page.on("request", (request) => { if (!request.url().startsWith(base)) faults.push(`fetched elsewhere: ${request.url()}`); });

const check = async (name) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > 360) faults.push(`${name}: ${wide} pixels wide on a screen of 360`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
    for (const { id, nodes } of found.violations) {
      faults.push(`${name}, ${colorScheme}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`);
    }
    await page.screenshot({ path: `${pictures}/${name}-${colorScheme}.png`, fullPage: true });
  }
};

await page.goto(link);
await check("login");
await page.tap("button");
await page.waitForURL(`${base}/`);
await page.waitForSelector(`a[href="/runs/${run}"]`);
await check("runs");

// The keyboard comes to the content first.
await page.keyboard.press("Tab");
if (await page.evaluate(() => document.activeElement.className) !== "skip") faults.push("the first stop is not the way to the content");

// Two taps.
await page.goto(`${base}/inbox`);
await check("inbox");

// The plan is edited on a page of its own, and waits for its word still.
await Promise.all([page.waitForURL(`${base}/runs/${run}/plan`), page.tap("a:text-is('Edit the plan')")]);
await check("plan");
await page.fill("textarea.plan", (await page.inputValue("textarea.plan")).replace("weight: 1", "weight: 9"));
await Promise.all([page.waitForURL(`${base}/runs/${run}`), page.tap("button:text-is('Save the plan')")]);
const draft = await page.evaluate(async (run) => (await fetch(`/api/v1/runs/${run}/plan/draft`)).json(), run);
if (draft.revision !== 1 || draft.tasks[0].weight !== 9) faults.push(`the plan was not edited: ${JSON.stringify(draft)}`);
await page.goto(`${base}/inbox`);
await page.tap("summary:has-text('Approve the plan')");
await Promise.all([page.waitForEvent("load"), page.tap("button:has-text('Approve the plan')")]);
if (page.url() !== `${base}/inbox`) faults.push(`the approval led to ${page.url()}`);

await page.goto(`${base}/runs/${run}`);
await page.waitForFunction(() => document.querySelectorAll(".k-running").length === 2);
await page.waitForFunction(() => document.getElementById("link-state").textContent === "live");
await check("run-at-work");
await page.evaluate(() => { window.wasHereBefore = true; });
fs.writeFileSync(`${gates}/gate-t1`, "");
fs.writeFileSync(`${gates}/gate-t2`, "");
await page.waitForFunction(() => document.querySelectorAll("#plan .k-landed").length === 2);
await page.waitForFunction(() => document.querySelector("#head .w-good") !== null);
if (!await page.evaluate(() => window.wasHereBefore)) faults.push("the page was loaded anew");
await check("run-done");

await page.goto(`${base}/runs/${run}/tasks/t1`);
await page.waitForSelector("table.diff .add");
await check("task");
await page.goto(`${base}/runs/${run}/digest`);
await page.waitForSelector(".digest h2");
await check("digest");
await page.emulateMedia({ media: "print" });
if (await page.isVisible("header.top")) faults.push("what leads elsewhere is printed with the digest");
await page.screenshot({ path: `${pictures}/digest-print.png`, fullPage: true });
await page.emulateMedia({ media: "screen" });
await page.goto(`${base}/runs/${run}/tasks/t1`);
await page.setViewportSize({ width: 1280, height: 900 });
await page.screenshot({ path: `${pictures}/task-wide.png`, fullPage: true });
await page.goto(`${base}/runs/${run}`);
await page.screenshot({ path: `${pictures}/run-wide.png`, fullPage: true });
await browser.close();

if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
