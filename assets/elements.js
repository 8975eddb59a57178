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

const SVG = "http://www.w3.org/2000/svg";

/** One of the icons of `icons.js`. */
export function icon(name) {
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("class", "icon");
  element.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  element.append(use);
  return element;
}

/** A button of which an icon is seen, and words are told to whoever points at it or has it read aloud. */
export function iconButton(name, words, run) {
  const element = button("", run);
  element.classList.add("only");
  element.title = words;
  element.setAttribute("aria-label", words);
  element.append(icon(name));
  return element;
}

/** A mark beside a name: an icon, and words, which may be for reading aloud alone. */
export function markElement(name, words, isSeen = false) {
  const element = make("span", "mark");
  const told = make("span", isSeen ? "" : "unseen");
  told.textContent = words;
  if (!isSeen) element.title = words;
  element.append(icon(name), told);
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
