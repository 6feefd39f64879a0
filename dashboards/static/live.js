// Keeps a page live: server-sent events, clinical time, countdowns, ages, and values that go when they are stale.
"use strict";

(() => {
  const page = document.body.dataset;
  const language = document.documentElement.lang;
  const silentMs = 1000 * Number(page.silentS || 5);
  const clock = { clinicalMs: Number(page.now), speed: Number(page.speed), at: performance.now() };
  const heard = { at: performance.now(), date: Date.now() };
  let source = null;
  const failed = new Set(); // parts of the page whose last fetch failed: what they show may be old
  let lost = false;
  const HOLD_MS = 2000; // a finger that never lifts must not stop the news
  let pressedAt = -HOLD_MS;

  const clinicalNow = () => clock.clinicalMs + (performance.now() - clock.at) * clock.speed;
  // Both clocks: one of them stands still while a laptop sleeps.
  const silentFor = () => Math.max(performance.now() - heard.at, Date.now() - heard.date);

  window.hearthwatch = { clinicalNow, language };

  // ---- the stream ----------------------------------------------------------------------------------------------

  function listen() {
    if (source) source.close();
    source = new EventSource(page.stream);
    source.addEventListener("heartbeat", (event) => beat(JSON.parse(event.data)));
    for (const kind of ["episode", "intake"]) source.addEventListener(kind, () => refresh(kind));
  }

  function beat(news) {
    Object.assign(clock, { clinicalMs: news.now_ms, speed: news.speed, at: performance.now() });
    if (!news.listening) return;
    Object.assign(heard, { at: performance.now(), date: Date.now() });
    if ("reload" in page && page.build && page.build !== news.build) window.location.reload();
    page.build = news.build;
    const pulse = document.getElementById("pulse");
    if (pulse) pulse.classList.toggle("wall__pulse--on");
    if (lost) {
      if (failed.size === 0) show(false);
      refresh("episode");
    }
  }

  function show(isLost) {
    lost = isLost;
    document.getElementById("lost").hidden = !isLost;
    document.body.classList.toggle("is-lost", isLost);
    if (isLost && source.readyState === EventSource.CLOSED) check();
  }

  // A stream that is closed for good may mean that the session has ended: asking for the page tells.
  function check() { refresh("episode"); }

  function refresh(kind) {
    for (const part of document.querySelectorAll("[data-refresh]")) {
      if (!part.dataset.refresh.split(" ").includes(kind)) continue;
      if (isHeld(part)) part.dataset.missed = kind;
      else {
        delete part.dataset.missed;
        htmx.trigger(part, "refresh");
      }
    }
    document.dispatchEvent(new CustomEvent("hearthwatch:" + kind));
  }

  // Nothing is swapped under a finger that is just tapping, nor under a form that is being filled in.
  const isHeld = (part) => performance.now() - pressedAt < HOLD_MS || ("hold" in part.dataset && part.querySelector(".decision[open]") !== null);
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const isRefresh = event.detail.requestConfig.elt === part; // else it answers what somebody has just done
    if (!part.matches("[data-refresh]") || !isRefresh || !isHeld(part)) return;
    event.detail.shouldSwap = false;
    part.dataset.missed = "episode";
  });
  // The keyboard stays where it was: on what came in the place of what had it.
  const tag = (element) => element.cloneNode(false).outerHTML;
  let focused = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    focused = part.matches("[data-refresh]") && part.contains(document.activeElement) ? tag(document.activeElement) : null;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (focused === null) return;
    const same = [...event.detail.target.querySelectorAll("a, button, input, summary")].find((each) => tag(each) === focused);
    if (same) same.focus({ preventScroll: true });
    focused = null;
  });
  const release = () => { setTimeout(() => { pressedAt = -HOLD_MS; catchUp(); }, 150); };
  addEventListener("pointerdown", () => { pressedAt = performance.now(); }, true);
  addEventListener("pointerup", release, true);
  addEventListener("pointercancel", release, true);
  function catchUp() { for (const part of document.querySelectorAll("[data-missed]")) refresh(part.dataset.missed); }

  // ---- time ----------------------------------------------------------------------------------------------------

  const ages = new Intl.RelativeTimeFormat(language, { style: "narrow", numeric: "always" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function ago(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const [unit, length] = UNITS.find(([, length]) => seconds >= length * 1.5) || UNITS[3];
    return ages.format(-Math.round(seconds / length), unit);
  }

  function countdown(ms) {
    const total = Math.floor(Math.abs(ms) / 1000);
    const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
    const two = (number) => String(number).padStart(2, "0");
    return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
  }

  function tick() {
    const now = clinicalNow();
    for (const each of document.querySelectorAll("[data-due]")) {
      const left = Number(each.dataset.due) - now;
      each.textContent = left < 0 ? `${page.overdue} ${countdown(left)}` : countdown(left);
      each.classList.toggle("countdown--soon", left >= 0 && left < 60000);
      each.classList.toggle("countdown--over", left < 0);
    }
    for (const each of document.querySelectorAll("time[data-at]")) each.textContent = ago(now - Number(each.dataset.at));
    for (const each of document.querySelectorAll(".vital[data-stale-at]")) if (now >= Number(each.dataset.staleAt)) goStale(each);
    // What is news only for a while goes by itself, and what stands for it afterwards comes.
    for (const each of document.querySelectorAll("[data-gone-at]")) if (now >= Number(each.dataset.goneAt)) each.remove();
    for (const each of document.querySelectorAll("[data-comes-at][hidden]")) if (now >= Number(each.dataset.comesAt)) each.hidden = false;
    for (const each of document.querySelectorAll("[data-clock]")) each.textContent = new Intl.DateTimeFormat(
      "en-GB", { timeZone: each.dataset.clock, hour: "2-digit", minute: "2-digit" }).format(now);
    const silent = silentFor();
    if (page.stream && !lost && (silent > silentMs || failed.size > 0)) show(true);
    if (lost) {
      const since = document.getElementById("lost-for");
      if (since) since.textContent = countdown(silent);
    }
    for (const part of document.querySelectorAll("[data-missed]")) {
      if (!isHeld(part)) refresh(part.dataset.missed);
    }
  }

  // The number itself goes, not only its looks.
  function goStale(vital) {
    vital.removeAttribute("data-stale-at");
    vital.className = vital.className.replace(/vital--(live|spot|doubtful|refused)/, "vital--stale");
    for (const gone of vital.querySelectorAll(".vital__number, .vital__age, .vital__none")) gone.remove();
    vital.querySelector(".vital__since").hidden = false;
    if (vital.closest(".tile--none")) refresh("episode");
  }

  if (page.stream) {
    listen();
    setInterval(() => { if (silentFor() > silentMs && (source.readyState === EventSource.CLOSED || silentFor() % 6000 < 2000)) listen(); }, 2000);
  }
  for (const kind of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(kind, (event) => { if (event.target.matches("[data-refresh]")) failed.add(event.target); });
  }
  document.addEventListener("htmx:afterSettle", (event) => { failed.delete(event.target); tick(); });
  setInterval(tick, 250);
  tick();
})();
