// The small elements that the parts of the page are made of. Messages have `slips.js`, other events `notices.js`.

export function dividerElement(words, kind = "") {
  const element = make("p", `divider ${kind}`.trim());
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
