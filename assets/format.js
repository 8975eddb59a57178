// From values to what a person reads: times, names, links. Text stays text: nothing here parses HTML.

import { toneOf } from "./tones.js";

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const IN_FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

const UNITS_S = Object.entries({ week: 604_800, day: 86_400, hour: 3600, min: 60 });

/** The local day, in words. */
export function day(time_ms) {
  return DAY.format(time_ms);
}

/** A `<time>` that shows the local hour and minute and tells the whole date when pointed at. */
export function timeElement(time_ms) {
  const element = document.createElement("time");
  element.dateTime = new Date(time_ms).toISOString();
  element.title = IN_FULL.format(time_ms);
  element.textContent = CLOCK.format(time_ms);
  return element;
}

/** A member's name, in his tone. `author`: his number; without, that of who is called so now. */
export function nameElement(name, author) {
  const element = document.createElement("bdi");
  element.className = `name ${toneOf(name, author)}`.trim();
  element.textContent = name;
  return element;
}

/** How a member is connected, in a person's words. */
export function viaWords(via) {
  return { web: "browser", line: "terminal" }[via] ?? via;
}

/** A time in the largest unit that says it whole. */
export function duration(seconds) {
  for (const [unit, size] of UNITS_S) {
    const count = seconds / size;
    if (Number.isInteger(count) && count > 0) return `${count} ${unit}${count > 1 && unit.length > 3 ? "s" : ""}`;
  }
  return `${seconds} s`;
}

/** A time that runs out, in the largest unit that it still has one of. */
export function approximateDuration(seconds) {
  const [, size] = UNITS_S.find(([, size]) => seconds >= size) ?? ["s", 1];
  return duration(Math.round(seconds / size) * size);
}

/** So many bytes, as people say it. */
export function byteSize(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 999.5 && unit < units.length - 1; unit += 1) bytes /= 1024;
  return `${bytes < 9.95 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}
