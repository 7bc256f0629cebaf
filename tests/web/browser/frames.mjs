// Looks at the page of a run while it goes on, first at its head and then at its charts, and tells how long the browser
// works on each frame of an update at either.
// Told by its arguments: the link, the run, the file that says that it looks; beside it `go.charts` asks for the charts, and `go.over` says
// that it may end.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BROWSER_TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const [link, run, go] = process.argv.slice(2);
const base = new URL(link).origin;

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
await page.addInitScript(() => { globalThis.artelFrames = []; });
await page.goto(link);
await page.click("button");
await page.waitForURL(`${base}/`);
await page.goto(`${base}/runs/${run}`);
await page.waitForFunction(() => document.getElementById("graph")?.dataset.seq);
const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
await page.evaluate(() => {
  globalThis.artelFrames = [];
  window.long = [];
  new PerformanceObserver((list) => { for (const it of list.getEntries()) window.long.push(it.duration); }).observe({ type: "longtask" });
});
const begun = await page.evaluate(() => document.getElementById("graph").dataset.seq);
fs.writeFileSync(go, "");
// Until the charts are asked for it is looked at as it is opened.
const told = async (what) => { while (!fs.existsSync(`${go}.${what}`)) await new Promise((done) => setTimeout(done, 50)); };
await told("charts");
const atHead = await page.evaluate(() => globalThis.artelFrames.splice(0));
await page.evaluate(() => document.getElementById("burn").scrollIntoView());
await told("over");
await page.waitForTimeout(1000);
const { frames, long, seq, charts } = await page.evaluate(() => ({
  charts: document.querySelectorAll("#burn canvas").length,
  frames: globalThis.artelFrames,
  long: window.long,
  seq: document.getElementById("graph").dataset.seq,
}));
await browser.close();
if (Number(seq) <= Number(begun) || atHead.length === 0 || charts !== 1) {
  console.error(`nothing was updated: ${begun} to ${seq}, ${atHead.length} frames, ${charts} charts`);
  process.exit(1);
}
const share = (frames, of) => frames.sort((one, two) => one - two)[Math.min(frames.length - 1, Math.floor(frames.length * of))];
console.log(`first_contentful_paint ${(painted / 1000).toFixed(4)} s 1`);
console.log(`update_frames ${atHead.length} frames -`);
console.log(`update_frame_p50 ${share(atHead, 0.5).toFixed(3)} ms 16`);
console.log(`update_frame_p95 ${share(atHead, 0.95).toFixed(3)} ms 16`);
console.log(`update_frame_longest ${share(atHead, 1).toFixed(3)} ms 16`);
console.log(`update_frame_at_charts_p50 ${share(frames, 0.5).toFixed(3)} ms 16`);
console.log(`update_frame_at_charts_p95 ${share(frames, 0.95).toFixed(3)} ms 16`);
console.log(`tasks_over_50_ms ${long.length} tasks -`);
