// From values to what a person reads: times, numbers, lists, names, links, as they are written where the browser is at
// home. Text stays text: nothing here parses HTML.

import { toneOf } from "./tones.js";
import { language, locale, words } from "./words.js";

const CLOCK = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const IN_FULL = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });
const WEEKDAY = new Intl.DateTimeFormat(locale, { weekday: "long" });
const SHORT_DAY = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const NUMBER = new Intl.NumberFormat(locale);
const ONE_DIGIT = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat(locale, { style: "percent" });
/** It puts a word in, so it is of the language of the others. */
const LIST = new Intl.ListFormat(locale ?? language);

/** The order of names. */
export const { compare } = new Intl.Collator(locale);

const UNITS_S = Object.entries({ week: 604_800, day: 86_400, hour: 3600, min: 60, s: 1 });

/** The local day, in words. */
export function day(time_ms) {
  return DAY.format(time_ms);
}

/** When it was, in a word: the hour of today, the day of this week, otherwise the date. */
export function shortDay(time_ms) {
  const days = (new Date().setHours(0, 0, 0, 0) - new Date(time_ms).setHours(0, 0, 0, 0)) / 86_400_000;
  if (days < 1) return CLOCK.format(time_ms);
  return (days < 6.5 ? WEEKDAY : SHORT_DAY).format(time_ms);
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

/** The square beside a name, for the eye alone: its first letter, and whether that is at a terminal. */
export function squareElement(name, via, author) {
  const element = document.createElement("span");
  element.className = `square ${toneOf(name, author)}`.trim();
  element.classList.toggle("terminal", via === "line");
  element.dataset.initial = String.fromCodePoint(name.codePointAt(0) ?? 0x20);
  element.setAttribute("aria-hidden", "true");
  return element;
}

/** How a member is connected, in a person's words. */
export function viaWords(via) {
  return words.via[via] ?? via;
}

/** A time in the largest unit that says it whole. */
export function duration(seconds) {
  for (const [unit, size] of UNITS_S) {
    const count = seconds / size;
    if (Number.isInteger(count) && count > 0) return words.duration[unit](count);
  }
  return words.duration.s(seconds);
}

/** A time that runs out, in the largest unit that it still has one of. */
export function approximateDuration(seconds) {
  const [, size] = UNITS_S.find(([, size]) => seconds >= size) ?? UNITS_S.at(-1);
  return duration(Math.round(seconds / size) * size);
}

/** So many bytes, as people say it. */
export function byteSize(bytes) {
  const units = words.bytes;
  let unit = 0;
  for (; bytes >= 999.5 && unit < units.length - 1; unit += 1) bytes /= 1000;
  return `${bytes < 9.95 && unit > 0 ? ONE_DIGIT.format(bytes) : number(Math.round(bytes))} ${units[unit]}`;
}

export function number(value) {
  return NUMBER.format(value);
}

/** A part of 1, never more than there is of it. */
export function percent(part) {
  return PERCENT.format(Math.floor(part * 100) / 100);
}

/** Several things as one text. */
export function list(texts) {
  return LIST.format(texts);
}
