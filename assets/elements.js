// The small elements of the page: notices, dividers, remarks, buttons. Messages have `slips.js`.

import { nameElement, timeElement } from "./format.js";

/** `enter`, `part`, `nick`, or what only a newer page than this one knows. */
export function noticeElement({ type, name, to, time }) {
  const element = make("p", "notice");
  element.append(nameElement(name), ...noticeWords(type, to), " ", timeElement(time));
  return element;
}

export function dividerElement(words) {
  const element = make("p", "divider");
  element.textContent = words;
  return element;
}

/** What to do about a waiting text that has failed, or cannot be said yet: words, and what they do. */
export function remediesElement(remedies) {
  const element = make("div", "remedies");
  element.append(...Object.entries(remedies).map(([words, run]) => button(words, run)));
  return element;
}

export function button(words, run) {
  const element = make("button", "quiet");
  element.type = "button";
  element.textContent = words;
  element.addEventListener("click", run);
  return element;
}

export function small(className, words) {
  const element = make("small", className);
  element.textContent = words;
  return element;
}

export function make(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function noticeWords(type, to) {
  switch (type) {
    case "enter":
      return [" came in"];
    case "part":
      return [" left"];
    case "nick":
      return [" is now ", nameElement(to)];
    default:
      return [" did something that this page cannot show. To see it, load the page again."];
  }
}
