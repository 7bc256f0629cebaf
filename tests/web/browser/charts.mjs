// Plays a person who looks at the charts of a run: with eyes, a pointer, keys, on a phone, in light and dark, and while
// more is spent. Told by its arguments: the link, the run, the folder of the signs, the folder for pictures.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BROWSER_TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [link, run, signs, pictures] = process.argv.slice(2);
const base = new URL(link).origin;

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const faults = [];
const expect = (holds, what) => { if (!holds) faults.push(what); };
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.on("console", (message) => { if (message.type() === "error") faults.push(`console: ${message.text()}`); });
page.on("pageerror", (error) => faults.push(`script: ${error}`));
page.on("dialog", (dialog) => { faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on("request", (request) => { if (!request.url().startsWith(base)) faults.push(`fetched elsewhere: ${request.url()}`); });

const ask = (what) => page.evaluate(async (path) => (await fetch(path)).json(), `/api/v1/runs/${run}/${what}`);
const ids = ["burn-down", "landings", "spend", "by-role", "by-model"];
const hostile = "<img src=x onerror=alert(6)>\\u{202e}\\x07";

// Counts the colours of a chart's canvas, once it is drawn.
const colours = async (id) => {
  await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await page.waitForSelector(`#${id} canvas`);
  return page.evaluate((id) => {
    const canvas = document.querySelector(`#${id} canvas`);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = new Map();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] < 255) continue;
      const colour = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
      found.set(colour, (found.get(colour) ?? 0) + 1);
    }
    return Object.fromEntries(found);
  }, id);
};
const hue = (name) => page.evaluate((name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--bar-${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}, name);
const table = (id) => page.evaluate((id) => {
  const rows = [...document.querySelectorAll(`#${id} details tr`)];
  return rows.map((row) => [...row.cells].map((cell) => cell.textContent));
}, id);
const legend = (id) => page.evaluate((id) => {
  const rows = [...document.querySelectorAll(`#${id} .u-series`)];
  return Object.fromEntries(rows.map((row) => [row.querySelector(".u-label").textContent, row.querySelector(".u-value").textContent]));
}, id);
const stamp = (at) => new Date(at).toISOString().replace("T", " ").slice(0, -1);
const nano = (usd) => Math.round(Number(usd) * 1e9);

const shows = async (width) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const id of ids) {
      await page.locator(`#${id}`).scrollIntoViewIfNeeded();
      // Of what there is most of is seen most.
      const [names, ...rows] = await table(id);
      const most = names.map((_, at) => at && rows.reduce((sum, row) => sum + Number(row[at]), 0));
      const at = most.indexOf(Math.max(...most));
      const wanted = await hue(await page.evaluate(([id, at]) => document.querySelectorAll(`#${id} details th`)[at].dataset.hue, [id, at]));
      let found = {};
      for (let look = 0; look < 20 && !found[wanted]; look++) {
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
        found = await colours(id);
      }
      expect(found[wanted] > 20, `${id} at ${width} in ${colorScheme} shows no ${wanted}: ${JSON.stringify(found).slice(0, 300)}`);
      const [drawn, place] = await page.evaluate((id) => ["canvas", "[data-plot]"].map((of) => document.querySelector(`#${id} ${of}`).getBoundingClientRect().right), id);
      expect(drawn <= place && drawn > place - 40, `${id} at ${width} ends at ${drawn} of ${place}`);
      await page.locator(`#${id}`).screenshot({ path: `${pictures}/chart-${id}-${width}-${colorScheme}.png` });
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide <= width, `${wide} pixels wide on a screen of ${width}`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
    for (const { id, nodes } of found.violations) faults.push(`${width}, ${colorScheme}: ${id}: ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary}`);
  }
};

try {
  await page.goto(link);
  await page.click("button");
  await page.waitForURL(`${base}/`);
  await page.goto(`${base}/runs/${run}`);
  await page.waitForFunction(() => document.getElementById("link-state").textContent === "live");

  // What is drawn.
  await shows(1280);
  const [burn, outlay, traffic] = [await ask("burn"), await ask("outlay"), await ask("traffic")];
  const name = (id) => page.evaluate((id) => document.getElementById(id).getAttribute("aria-label"), id);
  expect(await name("burn-down") === "0 of 2 tasks are open", `the chart is called ${await name("burn-down")}`);
  expect(await page.getByRole("figure", { name: "0 of 2 tasks are open" }).count() === 1, "the chart has its name");

  // The numbers are those that programs are told.
  const points = new Map(burn.points.map((point) => [stamp(point.at_ms), point]));
  const [, ...left] = await table("burn-down");
  expect(left.length === points.size && left.length > 10, `${left.length} rows of ${points.size} points`);
  for (const [at, all, open, person] of left) {
    const point = points.get(at);
    const told = point && [point.total, point.total - point.through - point.left, point.left];
    expect(told?.join() === [all, open, person].join(), `at ${at} it says ${all}, ${open}, ${person}, and not ${told}`);
  }
  const [, ...spent] = await table("spend");
  for (const [at, usd] of spent) expect(points.get(at)?.nano_usd === nano(usd), `${usd} USD at ${at}`);
  const sums = (spans) => Object.entries(spans.rows).map(([name, row]) => [name, row.reduce((sum, more) => sum + more, 0)]);
  const total = (rows, column) => rows.reduce((sum, row) => sum + nano(row[column]), 0);
  const [roles, ...byRole] = await table("by-role");
  for (const [name, sum] of sums(outlay.by_role)) expect(total(byRole, roles.indexOf(name)) === sum, `${name} spent ${sum}`);
  const [models, ...byModel] = await table("by-model");
  expect(models.length === 7 && models.at(-1) === "others", `models: ${models}`);
  const all = sums(outlay.by_model).reduce((sum, [, more]) => sum + more, 0);
  expect(models.slice(1).reduce((sum, _, at) => sum + total(byModel, at + 1), 0) === all, "no model is missing");
  const [what, ...landings] = await table("landings");
  const landed = traffic.over_time.rows.landed.reduce((sum, more) => sum + more, 0);
  expect(landings.reduce((sum, row) => sum + Number(row[what.indexOf("landed")]), 0) === landed, "landings");

  // Columns stand upon each other: the highest is all that was spent in its time.
  await page.locator("#by-model").scrollIntoViewIfNeeded();
  expect((await legend("by-model"))[hostile]?.startsWith("$0.7"), `legend: ${JSON.stringify(await legend("by-model"))}`);
  expect(await page.evaluate(() => document.images.length + document.querySelectorAll("[onerror]").length) === 0, "a model's name did something");

  // A pointer is told what is below it.
  const over = page.locator("#by-model .u-over");
  const { width, height } = await over.boundingBox();
  const row = Math.floor(byModel.length / 2);
  await over.hover({ position: { x: (row + 0.9) * width / byModel.length, y: height / 2 } });
  await page.waitForFunction((at) => document.querySelector("#by-model .u-series .u-value").textContent.startsWith(at), byModel[row][0].slice(0, 19));
  const below = await legend("by-model");
  models.slice(1).forEach((name, at) => {
    const usd = Number(byModel[row][at + 1]);
    expect(Math.abs(Number(below[name].slice(1)) - usd) <= 0.005, `${name} at ${byModel[row][0]}: ${below[name]} for ${usd}`);
  });

  // Keys go along it.
  await page.focus("#burn-down [data-plot]");
  await page.keyboard.press("Home");
  for (let step = 1; step < left.length; step++) await page.keyboard.press("ArrowRight");
  await page.waitForFunction((at) => document.querySelector("#burn-down .u-value").textContent.startsWith(at), left.at(-1)[0].slice(0, 19));
  await page.keyboard.press("ArrowLeft");
  expect((await legend("burn-down")).time.startsWith(left.at(-2)[0].slice(0, 19)), "one step back");
  expect(await page.getAttribute("#burn-down .u-legend", "aria-live") === "polite", "what keys lead to is read out");
  await page.keyboard.press("Escape");
  expect((await legend("burn-down")).time === "at last", "the pointer is put away");

  // An update is taken by the chart that is there.
  await page.locator("#spend").scrollIntoViewIfNeeded();
  await page.evaluate(() => { window.drawn = [...document.querySelectorAll("canvas")]; });
  const before = (await legend("spend")).spent;
  fs.writeFileSync(`${signs}/more-is-wanted`, "");
  await page.waitForFunction((count) => document.querySelectorAll("#spend tbody tr").length > count, spent.length);
  await page.waitForFunction((before) => document.querySelector("#spend tr:nth-child(2) .u-value").textContent !== before, before);
  const after = (await legend("spend")).spent;
  expect(Math.abs(Number(after.slice(1)) - Number(before.slice(1)) - 1) < 0.02, `${before} and a dollar are ${after}`);
  expect((await name("spend")).startsWith("$"), "it has its name");
  expect(await page.evaluate(() => window.drawn.length === 6 && window.drawn.every((canvas) => canvas.isConnected)), "a chart was made anew");

  // On a phone.
  await page.setViewportSize({ width: 360, height: 740 });
  await shows(360);
  expect(await page.evaluate(() => window.drawn.every((canvas) => canvas.isConnected)), "a chart was made anew for a phone");

  // On paper the numbers stand open; without a script they are opened, and no place is left for a chart.
  await page.emulateMedia({ media: "print" });
  expect(await page.locator("#spend details table").evaluate((table) => table.checkVisibility()), "the numbers are printed");
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  const still = await plain.newPage();
  await still.goto(`${base}/runs/${run}`);
  expect(!await still.isVisible("#spend [data-plot]"), "a place that nothing is drawn in");
  await still.click("#spend summary");
  expect(await still.isVisible("#spend tbody td"), "the numbers are opened");
} catch (error) {
  faults.push(`${error}`);
  await page.screenshot({ path: `${pictures}/charts-broken.png` }).catch(() => {});
}
await browser.close();
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
