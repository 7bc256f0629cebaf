// Draws the table of numbers of each figure as a chart, by uPlot, where it comes into sight; takes new numbers as the page
// is brought up to date. What it shows stands in the table too.
import { worked } from "/static/page.js";

const HEIGHT = 200;
const [SECOND, MINUTE, DAY] = [1000, 60_000, 86_400_000];

// By the place that each is drawn in.
const charts = new Map();
// What it says follows the scheme of the page by itself.
const style = getComputedStyle(document.documentElement);
let library = null, uPlot = null;

const colour = (name) => () => style.getPropertyValue(`--${name}`).trim();

const moment = (at) => new Date(at).toISOString().replace("T", " ");

// Times below an axis: as exact as they lie close, with the day where one begins.
const times = (plot, ticks, axis, space, step) => ticks.map((at, number) => {
  const text = moment(at);
  if (step >= DAY) return text.slice(5, 10);
  const clock = step >= MINUTE ? text.slice(11, 16) : step >= SECOND ? text.slice(11, 19) : text.slice(14, 23);
  return number === 0 || at % DAY === 0 ? `${clock}\n${text.slice(0, 10)}` : clock;
});

const money = (usd) => `$${usd === 0 ? 0 : usd.toFixed(usd >= 0.01 ? 2 : Math.min(9, 1 - Math.floor(Math.log10(usd))))}`;
const prices = (plot, ticks, axis, space, step) => ticks.map((usd) => `$${usd.toFixed(Math.max(0, Math.ceil(-Math.log10(step))))}`);

// Steps between the lines of an axis, from a power of ten on.
const steps = (from) => Array.from({ length: 20 }, (_, at) => [1, 2, 5].map((digit) => Number(`${digit}e${from + at}`))).flat();

// Where there is a legend it is a table too.
const tableOf = (figure) => figure.querySelector("details table");

const read = (figure) => {
  const [head, ...rows] = tableOf(figure).rows;
  const names = [...head.cells].slice(1).map((cell) => ({ name: cell.textContent, hue: cell.dataset.hue }));
  const each = Number(figure.dataset.each ?? 0);
  // A column stands round the middle of its time.
  const at = rows.map((row) => Date.parse(`${row.cells[0].textContent.replace(" ", "T")}Z`) + each / 2);
  const rest = names.map((_, column) => rows.map((row) => Number(row.cells[column + 1].textContent)));
  return { names, each, at, numbers: rest, isMoney: figure.dataset.unit === "USD" };
};

// Puts each column upon those before it.
const stacked = (numbers) => {
  const sums = numbers[0].map(() => 0);
  return numbers.map((row) => row.map((number, at) => sums[at] += number));
};

// From the beginning of the first column to the end of the last; a line of one point is a second long.
const stretch = ({ at, each }) => [at[0] - each / 2, each ? at.at(-1) + each / 2 : Math.max(at.at(-1), at[0] + SECOND)];

const drawnFrom = ({ at, each, numbers }) => [at, ...(each ? stacked(numbers) : numbers)];

const series = (chart) => {
  const { each, names, isMoney } = chart.told;
  const say = isMoney ? money : String;
  // Where nothing is pointed at, a line tells how it ends and columns what they come to.
  const whole = (row) => each ? row.reduce((sum, number) => sum + number, 0) : row.at(-1);
  const value = (plot, _, at, place) => {
    const row = chart.told.numbers[at - 1];
    return say(place == null ? whole(row) : row[place]);
  };
  const time = (plot, at) => at != null ? `${moment(at - chart.told.each / 2).slice(0, 19)} UTC` : each ? "in all" : "at last";
  const row = ({ name, hue }) => ({
    label: name,
    value,
    points: { show: false },
    ...each
      ? { paths: uPlot.paths.bars({ size: [1, Infinity], gap: 1 }), width: 0, fill: colour(`bar-${hue}`) }
      : { paths: uPlot.paths.stepped({ align: 1 }), width: 2, stroke: colour(`bar-${hue}`), dash: hue === "plain" ? [6, 4] : [] },
  });
  return [{ label: "time", value: time }, ...names.map(row)];
};

const options = (chart) => {
  const { names, each, isMoney } = chart.told;
  const line = { stroke: colour("edge"), width: 1 };
  const axis = { stroke: colour("faint"), font: "12px system-ui, sans-serif", grid: line, ticks: { ...line, size: 4 } };
  return {
    width: chart.place.clientWidth,
    height: HEIGHT,
    ms: 1,
    tzDate: (at) => uPlot.tzDate(new Date(at), "Etc/UTC"),
    scales: {
      x: { range: () => stretch(chart.told) },
      y: { range: (plot, least, most) => [0, most * 1.05 || 1] },
    },
    axes: [
      { ...axis, values: times, space: 80 },
      {
        ...axis,
        incrs: steps(isMoney ? -9 : 0),
        ...isMoney ? { values: prices } : {},
        size: (plot, texts) => 16 + 7 * Math.max(2, ...(texts ?? []).map((text) => text.length)),
      },
    ],
    series: series(chart),
    bands: each ? names.slice(1).map((_, at) => ({ series: [at + 2, at + 1] })) : [],
    legend: { markers: { width: 0, fill: (plot, at) => `var(--bar-${chart.told.names[at - 1].hue})` } },
    // Nothing is hidden or zoomed: a page that goes on would undo it.
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !each }, bind: { click: () => null, dblclick: () => null } },
  };
};

// Draws what the table says, if it says anything new; only where other names came is the chart made anew.
const draw = (chart) => {
  const begun = performance.now();
  const { place } = chart;
  if (!place.isConnected) return;
  const figure = place.parentElement;
  const text = tableOf(figure).textContent + figure.dataset.each;
  const isFitting = chart.plot?.width === place.clientWidth;
  if (text === chart.text && isFitting) return;
  if (chart.plot && !isFitting) chart.plot.setSize({ width: place.clientWidth, height: HEIGHT });
  if (text !== chart.text) {
    chart.text = text;
    chart.told = read(figure);
    const names = JSON.stringify(chart.told.names);
    if (chart.names === names) {
      chart.plot.setData(drawnFrom(chart.told));
    } else {
      chart.plot?.destroy();
      chart.plot = new uPlot(options(chart), drawnFrom(chart.told), place);
      chart.names = names;
    }
  }
  worked(begun);
};

// One chart a frame.
const due = new Set();
const step = () => {
  const [chart] = due;
  due.delete(chart);
  if (due.size > 0) requestAnimationFrame(step);
  draw(chart);
};
const later = (chart) => {
  if (!chart.isInSight || !uPlot) return;
  if (due.size === 0) requestAnimationFrame(step);
  due.add(chart);
};

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const chart = charts.get(target);
    if (!chart) continue;
    chart.isInSight = isIntersecting;
    if (!isIntersecting) continue;
    library ??= import("/static/uplot.js");
    library.then((module) => { uPlot = module.default; later(chart); }, () => { library = null; });
  }
}, { rootMargin: "200px" });
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (charts.has(target)) later(charts.get(target));
});

// Arrow keys go from number to number, and have them read out.
const keys = (chart) => (event) => {
  const { plot } = chart;
  if (!plot) return;
  const last = plot.data[0].length - 1, at = plot.cursor.idx;
  const to = { ArrowLeft: Math.max(0, (at ?? last + 1) - 1), ArrowRight: Math.min(last, (at ?? -1) + 1), Home: 0, End: last, Escape: -1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  plot.root.querySelector(".u-legend").setAttribute("aria-live", "polite");
  plot.setCursor(to < 0 ? { left: -10, top: -10 } : { left: plot.valToPos(plot.data[0][to], "x"), top: 0 });
};

const look = () => {
  for (const [place, chart] of charts) {
    if (place.isConnected) continue;
    sight.unobserve(place);
    sizes.unobserve(place);
    chart.plot?.destroy();
    charts.delete(place);
  }
  for (const place of document.querySelectorAll("[data-plot]")) {
    if (charts.has(place)) continue;
    const chart = { place, isInSight: false };
    charts.set(place, chart);
    place.hidden = false;
    place.addEventListener("keydown", keys(chart));
    sight.observe(place);
    sizes.observe(place);
  }
  for (const chart of charts.values()) later(chart);
};

look();
document.addEventListener("artel:shown", look);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts.values()) { chart.text = null; later(chart); }
});
