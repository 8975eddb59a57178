// Messages as slips of paper: those said, kept up to date where they stand, and those that wait to be said.

import { button, make, small } from "./elements.js";
import { linked, list, nameElement, timeElement, viaWords } from "./format.js";
import { fileElement } from "./shared_file.js";
import { words } from "./words.js";

/** Of a message that is replied to, so much is quoted. */
const QUOTED_CHARACTERS = 120;
/** Of those who react, so many are named; the others are counted. */
const NAMED = 12;

/** A message as an article. What became of it since is shown by `showState`. */
export function messageElement({ name, via, kind, time }) {
  const element = slip(kind, name, timeElement(time));
  // The one that Tab leads to is chosen by the timeline.
  element.tabIndex = -1;
  if (via !== "web") element.querySelector(".by")?.append(small("via", viaWords(via)));
  return element;
}

/**
 * Shows a message as it is now.
 * @param {HTMLElement} element
 * @param {import("./message_state.js").MessageState} state
 * @param {{kind: string, name: string}} event
 * @param {{reactions: object[], pending?: object}} view the reactions, with those of ours on their way; `pending`: another
 *   change of ours on its way
 */
export function showState(element, state, { kind, name }, { reactions, pending }) {
  element.classList.toggle("deleted", state.deleted);
  element.classList.toggle("waiting", Boolean(pending));
  showFile(element, state.file);
  const text = element.querySelector(".text");
  text.hidden = Boolean(state.file) && !state.text && pending?.type !== "edit";
  element.querySelector(".file")?.classList.toggle("alone", text.hidden);
  if (state.deleted) text.replaceChildren(words.message.deleted);
  else showText(text, kind, name, pending?.type === "edit" ? pending.text : state.text);
  const { beingEdited, beingDeleted, edited } = words.message;
  const fate = pending && (pending.type === "edit" ? beingEdited : beingDeleted);
  showMark(element, fate ?? (state.edited ? edited : ""));
  showTools(element, state.deleted, name);
  showReactions(element, reactions);
}

/** Shows what a message replies to, or that it is not on the page. */
export function showQuote(element, quoted, jump) {
  element.querySelector(".quote")?.remove();
  if (!quoted) return;
  const { name, text, deleted, missing } = quoted;
  const quote = make(missing ? "p" : "button", "quote");
  if (missing) quote.textContent = words.message.inReplyToEarlier;
  else {
    quote.type = "button";
    const excerpt = small("", deleted ? words.message.deleted : [...text].slice(0, QUOTED_CHARACTERS).join(""));
    excerpt.dir = "auto";
    quote.append(nameElement(name), excerpt);
    quote.prepend(unseen(`${words.message.inReplyTo} `));
    quote.addEventListener("click", jump);
  }
  element.querySelector(".slip").prepend(quote);
}

/** A text of our own that is not known to be said. */
export function waitingElement({ kind, text, type }, name) {
  const element = slip(kind, name, small("fate", words.waiting.waiting));
  showText(element.querySelector(".text"), kind, name, text);
  if (type === "edit") element.querySelector(".slip").prepend(small("quote", words.message.correction));
  element.classList.add("own", "waiting");
  return element;
}

function showText(element, kind, name, text) {
  const nodes = linked(text);
  element.replaceChildren(...(kind === "me" ? ["* ", nameElement(name), " ", ...nodes] : nodes));
}

/** Nothing becomes of a file but that it is deleted: what plays goes on. */
function showFile(element, file) {
  const shown = element.querySelector(".file");
  if (!file) shown?.remove();
  else if (!shown) element.querySelector(".text").before(fileElement(file));
}

function showMark(element, mark) {
  element.querySelector(".mark")?.remove();
  if (mark) element.querySelector("time").before(small("mark", mark));
}

/** The button that opens the menu. A press on a touch screen may be anywhere on the message. */
function showTools(element, deleted, name) {
  const tools = element.querySelector(".tools");
  if (deleted) tools?.remove();
  if (deleted || tools) return;
  const open = button("", () => {});
  open.className = "tools";
  open.tabIndex = -1;
  open.setAttribute("aria-label", words.message.actions(name));
  open.setAttribute("aria-haspopup", "menu");
  open.setAttribute("aria-expanded", "false");
  // A new message is read, not what can be done with it.
  open.setAttribute("aria-live", "off");
  element.querySelector("time").after(open);
}

function showReactions(element, reactions) {
  const before = element.querySelector(".reactions");
  if (reactions.length === 0) return before?.remove();
  const row = make("div", "reactions");
  row.setAttribute("aria-live", "off");
  row.append(...reactions.map(reactionElement));
  const focused = before?.contains(document.activeElement) && document.activeElement.dataset.emoji;
  if (before) before.replaceWith(row);
  else element.append(row);
  // Whoever has just pressed one is still there.
  if (focused) ([...row.children].find(({ dataset }) => dataset.emoji === focused) ?? element).focus();
}

function reactionElement({ emoji, names, count, isOurs, isPending }) {
  const element = button(`${emoji} ${count}`, () => {});
  const others = count - Math.min(names.length, NAMED);
  const people = names.slice(0, NAMED).map((name) => `\u2068${name}\u2069`);
  if (others > 0) people.push(words.message.others(others));
  element.title = list(people);
  element.dataset.emoji = emoji;
  element.setAttribute("aria-label", `${emoji} ${element.title}`);
  element.setAttribute("aria-pressed", isOurs);
  element.classList.toggle("waiting", Boolean(isPending));
  return element;
}

/** A slip of paper with who said it above, or in it where it reads "* ana waves". */
function slip(kind, name, foot) {
  const element = make("article", "message");
  const paper = make("div", "slip");
  const body = make("div", "text");
  body.dir = "auto";
  if (kind === "me") {
    element.classList.add("me");
  } else {
    const by = make("p", "by");
    by.append(nameElement(name));
    element.append(by);
  }
  const end = make("div", "foot");
  end.append(foot);
  paper.append(body, end);
  element.append(paper);
  return element;
}

function unseen(text) {
  const element = make("span", "unseen");
  element.textContent = text;
  return element;
}
