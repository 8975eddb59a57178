// From values to what a person reads: times, names, links. Text stays text: nothing here parses HTML.

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const IN_FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

/** Ends at what Chinese and Japanese end sentences with, too: there no space follows. */
const URL_IN_TEXT = /\bhttps?:\/\/[^\s<>"\u3000-\u303f\uff00-\uffef]+/gi;
const PUNCTUATION = ".,;:!?'*_~";
const TONES = 7;
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

/** A member's name, in the tone that it always has. */
export function nameElement(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  const element = document.createElement("bdi");
  element.className = `name tone-${hash % TONES}`;
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
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 999.5 && unit < units.length - 1; unit += 1) bytes /= 1000;
  return `${bytes < 9.95 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

/** The text as nodes, its web addresses as links. */
export function linked(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(URL_IN_TEXT)) {
    const address = withoutPunctuation(match);
    if (!isAddress(address)) continue;
    nodes.push(text.slice(end, index), linkElement(address));
    end = index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** `URL.canParse`, which browsers of three years ago did not all have. */
function isAddress(text) {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}

/** Without what ends the sentence and not the address; a bracket that was opened in it stays. */
function withoutPunctuation(address) {
  let unopened = address.split(")").length - address.split("(").length;
  let end = address.length;
  while (end > 0) {
    const last = address[end - 1];
    if (last === ")" && unopened > 0) unopened -= 1;
    else if (!PUNCTUATION.includes(last)) break;
    end -= 1;
  }
  return address.slice(0, end);
}

function linkElement(address) {
  const link = document.createElement("a");
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  link.textContent = address;
  return link;
}
