// Messages as slips of paper: those said, kept up to date where they stand, and those that wait to be said.

import { button, make, small } from "./elements.js";
import { nameElement, timeElement, viaWords } from "./format.js";
import { isEmojiAlone, marked } from "./markup.js";
import { fileElement } from "./shared_file.js";

/** Of a message that is replied to, so much is quoted. */
const QUOTED_CHARACTERS = 120;
/** A text of more lines or characters than these is folded. */
const TALL_LINES = 24;
const TALL_CHARACTERS = 2400;
/** Of those who react, so many are named; the others are counted. */
const NAMED = 12;

/** A message as an article. What became of it since is shown by `showState`. */
export function messageElement({ name, author, via, kind, time }) {
  const element = slip({ kind, name, author }, timeElement(time));
  // The one that Tab leads to is chosen by the timeline.
  element.tabIndex = -1;
  if (via !== "web") element.querySelector(".by")?.append(small("via", viaWords(via)));
  return element;
}

/**
 * Shows a message as it is now.
 * @param {HTMLElement} element
 * @param {import("./message_state.js").MessageState} state
 * @param {{kind: string, name: string, author: number}} event
 * @param {{reactions: object[], pending?: object, mentions?: import("./mentions.js").Mentions, isUnfolded: boolean,
 *   unfold: () => void}} view the reactions, with those of ours on their way; `pending`: another change of ours on its way;
 *   `mentions`: of us, if it is not ours; `isUnfolded`: all of a tall text is wanted
 */
export function showState(element, state, event, { reactions, pending, mentions, isUnfolded, unfold }) {
  const { name } = event;
  element.classList.toggle("deleted", state.deleted);
  element.classList.toggle("waiting", Boolean(pending));
  showFile(element, state.file);
  const text = element.querySelector(".text");
  text.hidden = Boolean(state.file) && !state.text && pending?.type !== "edit";
  element.querySelector(".file")?.classList.toggle("alone", text.hidden);
  if (state.deleted) text.replaceChildren("deleted");
  else showText(text, event, pending?.type === "edit" ? pending.text : state.text, mentions);
  showFold(text, isTall(state.text) && !isUnfolded, unfold);
  const fate = pending && (pending.type === "edit" ? "being edited" : "being deleted");
  showMark(element, fate ?? (state.edited ? "edited" : ""));
  showTools(element, state.deleted, name);
  showReactions(element, reactions);
}

/** Shows what a message replies to, or that it is not on the page. */
export function showQuote(element, quoted, jump) {
  element.querySelector(".quote")?.remove();
  if (!quoted) return;
  const { name, author, text, deleted, missing } = quoted;
  const quote = make(missing ? "p" : "button", "quote");
  if (missing) quote.textContent = "In reply to an earlier message";
  else {
    quote.type = "button";
    const words = small("", deleted ? "deleted" : [...text].slice(0, QUOTED_CHARACTERS).join(""));
    words.dir = "auto";
    quote.append(nameElement(name, author), words);
    quote.prepend(unseen("In reply to "));
    quote.addEventListener("click", jump);
  }
  element.querySelector(".slip").prepend(quote);
}

/** A text of our own that is not known to be said. */
export function waitingElement({ kind, text, type }, name) {
  const element = slip({ kind, name }, small("fate", "waiting"));
  showText(element.querySelector(".text"), { kind, name }, text);
  const words = element.querySelector(".text");
  showFold(words, isTall(text), () => showFold(words, false));
  if (type === "edit") element.querySelector(".slip").prepend(small("quote", "Correction of an earlier message"));
  element.classList.add("own", "waiting");
  return element;
}

function showText(element, { kind, name, author }, text, mentions) {
  const words = marked(text, (piece) => mentions?.mark(piece) ?? piece);
  if (kind === "me") element.replaceChildren("* ", nameElement(name, author), " ", words);
  else element.replaceChildren(words);
  element.classList.toggle("emoji", kind !== "me" && isEmojiAlone(text));
  element.closest(".message").classList.toggle("mention", Boolean(mentions?.isIn(text)));
}

function isTall(text) {
  return text.length > TALL_CHARACTERS || text.split("\n", TALL_LINES + 1).length > TALL_LINES;
}

/** Of a folded text the beginning is shown; all of it is there for whoever has it read aloud or searches the page. */
function showFold(text, isFolded, unfold) {
  text.classList.toggle("folded", isFolded);
  const before = text.parentElement.querySelector(".unfold");
  if (!isFolded) return before?.remove();
  if (before) return;
  const open = button("Show all of it", unfold);
  open.classList.add("unfold");
  text.after(open);
}

/** Nothing becomes of a file but that it is deleted: what plays goes on. */
function showFile(element, file) {
  const shown = element.querySelector(".file");
  if (!file) shown?.remove();
  else if (!shown) element.querySelector(".text").before(fileElement(file));
}

function showMark(element, words) {
  element.querySelector(".mark")?.remove();
  if (words) element.querySelector("time").before(small("mark", words));
}

/** The button that opens the menu. A press on a touch screen may be anywhere on the message. */
function showTools(element, deleted, name) {
  const tools = element.querySelector(".tools");
  if (deleted) tools?.remove();
  if (deleted || tools) return;
  const open = button("", () => {});
  open.className = "tools";
  open.tabIndex = -1;
  open.setAttribute("aria-label", `Actions for the message of ${name}`);
  open.setAttribute("aria-haspopup", "menu");
  open.setAttribute("aria-expanded", "false");
  // A new message is read, not what can be done with it.
  open.setAttribute("aria-live", "off");
  element.querySelector("time").after(open);
}

function showReactions(element, reactions) {
  const before = element.querySelector(".reactions");
  if (reactions.length === 0) return before?.remove();
  const list = make("div", "reactions");
  list.setAttribute("aria-live", "off");
  list.append(...reactions.map(reactionElement));
  const focused = before?.contains(document.activeElement) && document.activeElement.dataset.emoji;
  if (before) before.replaceWith(list);
  else element.append(list);
  // Whoever has just pressed one is still there.
  if (focused) ([...list.children].find(({ dataset }) => dataset.emoji === focused) ?? element).focus();
}

function reactionElement({ emoji, names, count, isOurs, isPending }) {
  const element = button(`${emoji} ${count}`, () => {});
  const others = count - Math.min(names.length, NAMED);
  const people = names.slice(0, NAMED).map((name) => `\u2068${name}\u2069`);
  if (others > 0) people.push(others === 1 ? "1 other" : `${others} others`);
  const last = people.pop();
  element.title = people.length > 0 ? `${people.join(", ")} and ${last}` : last;
  element.dataset.emoji = emoji;
  element.setAttribute("aria-label", `${emoji} ${element.title}`);
  element.setAttribute("aria-pressed", isOurs);
  element.classList.toggle("waiting", Boolean(isPending));
  return element;
}

/** A slip of paper with who said it above, or in it where it reads "* ana waves". */
function slip({ kind, name, author }, foot) {
  const element = make("article", "message");
  const paper = make("div", "slip");
  const body = make("div", "text");
  body.dir = "auto";
  if (kind === "me") {
    element.classList.add("me");
  } else {
    const by = make("p", "by");
    by.append(nameElement(name, author));
    element.append(by);
  }
  const end = make("div", "foot");
  end.append(foot);
  paper.append(body, end);
  element.append(paper);
  return element;
}

function unseen(words) {
  const element = make("span", "unseen");
  element.textContent = words;
  return element;
}
