// The elements of the timeline, each made from one event, one waiting text, or one remark.

import { linked, nameElement, timeElement, viaWords } from "./format.js";

/** @param {boolean} own whether we said it */
export function messageElement({ name, via, kind, text, time }, own) {
  const element = slip(kind, name, text, timeElement(time));
  element.classList.toggle("own", own);
  if (via !== "web") element.querySelector(".by")?.append(small("via", viaWords(via)));
  return element;
}

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

/** A text of our own that is not known to be said. */
export function waitingElement({ kind, text }, name) {
  const element = slip(kind, name, text, small("fate", "waiting"));
  element.classList.add("own", "waiting");
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

/** A slip of paper with who said it above, or in it where it reads "* ana waves". */
function slip(kind, name, text, foot) {
  const element = make("article", "message");
  const paper = make("div", "slip");
  const body = make("div", "text");
  body.dir = "auto";
  body.append(...linked(text));
  if (kind === "me") {
    element.classList.add("me");
    body.prepend("* ", nameElement(name), " ");
  } else {
    const by = make("p", "by");
    by.append(nameElement(name));
    element.append(by);
  }
  paper.append(body, foot);
  element.append(paper);
  return element;
}

function small(className, words) {
  const element = make("small", className);
  element.textContent = words;
  return element;
}

function make(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}
