// A patient's course: one small chart a signal under one time axis; gaps stay gaps, episodes are bands.
"use strict";

(() => {
  const place = document.getElementById("chart");
  if (!place) return;
  const buttons = [...document.querySelectorAll("[data-span]")];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const sync = uPlot.sync("course");
  const HEIGHTS = { spo2: 210, pulse: 150, temperature: 150 };
  const RANGES = { spo2: [84, 100], pulse: [50, 120], temperature: [35.5, 39.5] };
  const COLOURS = { spo2: "--spo2", pulse: "--pulse", temperature: "--temperature" };
  let { span } = buttons.find((button) => button.getAttribute("aria-pressed") === "true").dataset;
  let plots = [];
  let lastLoad = 0;

  async function load() {
    lastLoad = performance.now();
    const answer = await fetch(`${place.dataset.src}?span=${span}`, { headers: { "HX-Request": "true" } });
    if (answer.ok) draw(await answer.json());
  }

  function draw(course) {
    for (const plot of plots) plot.destroy();
    plots = [];
    place.replaceChildren();
    if (!course.signals.length) { place.textContent = place.dataset.empty; return; }
    course.signals.forEach((line, index) => plots.push(chart(line, course, index === course.signals.length - 1)));
  }

  function chart(line, course, isLast) {
    const figure = document.createElement("figure");
    figure.className = "course";
    const caption = document.createElement("figcaption");
    caption.textContent = `${line.label} ${line.unit}`;
    figure.append(caption);
    place.append(figure);
    const colour = ink(COLOURS[line.signal]);
    const options = {
      width: place.clientWidth,
      height: HEIGHTS[line.signal] + (isLast ? 26 : 0),
      legend: { show: false },
      cursor: { sync: { key: sync.key }, drag: { x: false, y: false }, points: { size: 8 } },
      padding: [10, 12, isLast ? 0 : 6, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), course.zone),
      scales: { x: { time: true, range: () => [course.from, course.to] }, y: { range: (_, low, high) => span_of(line, low, high) } },
      axes: [
        { show: isLast, stroke: ink("--muted"), font, grid: { show: false }, ticks: { stroke: ink("--line") }, space: 64, values: (_, splits) => splits.map((at, i) => clockText(at, course.zone, i === 0 ? null : splits[i - 1])) },
        { stroke: ink("--muted"), font, size: 44, space: 32, grid: { stroke: ink("--hair"), width: 1 }, ticks: { show: false } },
      ],
      series: [
        {},
        { stroke: "transparent", points: { show: false } },
        { stroke: "transparent", points: { show: false } },
        { stroke: colour, width: line.spot ? 0 : 2, paths: line.spot ? () => null : undefined, points: { show: line.spot, size: 8, fill: colour, stroke: colour }, spanGaps: false },
        { stroke: ink("--doubt"), width: 1.5, paths: () => null, points: { show: true, size: 6, fill: ink("--card"), stroke: ink("--doubt") } },
      ],
      bands: line.spot ? [] : [{ series: [2, 1], fill: colour + "2e" }],
      hooks: { drawClear: [(plot) => bands(plot, course.bands)], draw: [(plot) => limits(plot, line.limits)], setCursor: [(plot) => readout(plot, line, caption, course.zone)] },
    };
    return new uPlot(options, line.columns, figure);
  }

  function span_of(line, low, high) {
    const [from, to] = RANGES[line.signal];
    const ceiling = line.signal === "spo2" ? 100.5 : Infinity;
    return [Math.min(from, (low ?? from) - 1), Math.min(ceiling, Math.max(to, (high ?? to) + 1))];
  }

  function bands(plot, episodes) {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const each of episodes) {
      const from = Math.max(plot.valToPos(each.from, "x", true), bbox.left);
      const to = Math.min(plot.valToPos(each.to, "x", true), bbox.left + bbox.width);
      if (to <= from) continue;
      ctx.fillStyle = ink(`--band-${each.urgency}`);
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
      ctx.fillStyle = ink(`--${each.urgency}`);
      ctx.fillRect(from, bbox.top, Math.max(2, devicePixelRatio), bbox.height);
    }
    ctx.restore();
  }

  function limits(plot, drawn) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    for (const each of drawn) {
      const y = Math.round(plot.valToPos(each.value, "y", true)) + 0.5;
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = ink("--limit");
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillStyle = ink("--limit");
      ctx.fillText(each.text, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio);
    }
    ctx.restore();
  }

  function readout(plot, line, caption, zone) {
    const at = plot.cursor.idx;
    const value = at == null ? null : plot.data[3][at] ?? plot.data[4][at];
    const time = value == null ? "" : clockText(plot.data[0][at], zone, null, true);
    caption.textContent = value == null ? `${line.label} ${line.unit}` : `${line.label} ${Math.round(value * 10) / 10} ${line.unit} · ${time}`;
  }

  const day = (zone) => new Intl.DateTimeFormat(hearthwatch.language, { timeZone: zone, month: "numeric", day: "numeric" });
  const minute = (zone) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });

  function clockText(at, zone, before, isWhole) {
    const date = day(zone).format(at * 1000);
    const time = minute(zone).format(at * 1000);
    if (isWhole) return `${date} ${time}`;
    if (time === "00:00" || (before !== null && date !== day(zone).format(before * 1000))) return time === "00:00" ? date : `${date} ${time}`;
    return time;
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      span = button.dataset.span;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      load();
    });
  }
  const due = { "1h": 5000, "24h": 30000, "4d": 60000 };
  document.addEventListener("hearthwatch:intake", () => { if (performance.now() - lastLoad > due[span]) load(); });
  document.addEventListener("hearthwatch:episode", load);
  let width = 0;
  new ResizeObserver(() => { if (place.clientWidth !== width) { width = place.clientWidth; load(); } }).observe(place);
})();
