// Comings and goings that follow each other are one line: who came in, who left. Each stays on the page for whoever has it
// read aloud, and is shown to whoever opens that line.

import { button } from "./elements.js";
import { list } from "./format.js";
import { words } from "./words.js";

/** Of those who came or left, so many are named; the others are counted. */
const NAMED = 3;

/**
 * Joins those lines of a block that belong together.
 * @param {import("./blocks.js").Line[]} lines which are built, and know whether a `day` begins with them
 */
export function joinComings(lines) {
  for (const run of runsOf(lines)) {
    const [first, ...others] = run;
    others.forEach(removeHead);
    if (others.length === 0) {
      removeHead(first);
      first.element.classList.remove("joined");
      continue;
    }
    first.head ??= headElement();
    first.head.textContent = summary(run.map(({ event }) => event));
    if (first.head.nextElementSibling !== first.element) first.element.before(first.head);
    const elements = run.map(({ element }) => element);
    const show = () => {
      first.head.setAttribute("aria-expanded", first.isOpen);
      for (const element of elements) element.classList.toggle("joined", !first.isOpen);
    };
    first.head.onclick = () => {
      first.isOpen = !first.isOpen;
      show();
    };
    show();
  }
}

/** The comings and goings of one day that nothing stands between. */
function runsOf(lines) {
  const runs = [];
  let isOpen = false;
  for (const line of lines) {
    const isComing = line.event?.type === "enter" || line.event?.type === "part";
    if (isComing && isOpen && !line.day) runs.at(-1).push(line);
    else if (isComing) runs.push([line]);
    isOpen = isComing;
  }
  return runs;
}

function headElement() {
  const head = button("", () => {});
  head.className = "comings";
  // The arrow keys lead to it, as to messages.
  head.tabIndex = -1;
  // Who is told of it is told of each one.
  head.setAttribute("aria-live", "off");
  return head;
}

function removeHead(line) {
  line.head?.remove();
  line.head = null;
}

/** What has become of each, in the end. */
function summary(events) {
  const fates = new Map();
  for (const { name, type } of events) {
    const [first] = fates.get(name) ?? [type];
    fates.set(name, [first, type]);
  }
  const names = { "enter-enter": [], "part-part": [], "enter-part": [], "part-enter": [] };
  for (const [name, fate] of fates) names[fate.join("-")].push(`\u2068${name}\u2069`);
  const { cameIn, left, cameAndLeft, cameBack } = words.timeline;
  const told = { "enter-enter": cameIn, "part-part": left, "enter-part": cameAndLeft, "part-enter": cameBack };
  return Object.entries(names)
    .filter(([, names]) => names.length > 0)
    .map(([fate, names]) => told[fate](listed(names)))
    .join(" · ");
}

function listed(names) {
  if (names.length <= NAMED + 1) return list(names);
  return list([...names.slice(0, NAMED), words.timeline.more(names.length - NAMED)]);
}
