// Messages as rows: those said, kept up to date where they stand, and those that wait to be said.

import { button, icon, make, markElement, small } from "./elements.js";
import { list, nameElement, squareElement, timeElement, viaWords } from "./format.js";
import { isEmojiAlone, marked } from "./markup.js";
import { fileElement } from "./shared_file.js";
import { words } from "./words.js";

/** Of a message that is replied to, so much is quoted. */
const QUOTED_CHARACTERS = 120;
/** A text of more lines or characters than these is folded. */
const TALL_LINES = 24;
const TALL_CHARACTERS = 2400;
/** Of those who react, so many are named; the others are counted. */
const NAMED = 12;

/** A message as an article. What became of it since is shown by `showState`. */
export function messageElement({ name, author, via, kind, time }) {
  const element = slip({ kind, name, author, via });
  // The one that Tab leads to is chosen by the timeline.
  element.tabIndex = -1;
  if (via !== "web") element.querySelector(".by")?.append(markElement("term", viaWords(via)));
  element.querySelector(".slip").before(timeElement(time));
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
  if (state.deleted) text.replaceChildren(words.message.deleted);
  else showText(text, event, pending?.type === "edit" ? pending.text : state.text, mentions);
  showFold(text, isTall(state.text) && !isUnfolded, unfold);
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
  const { name, author, text, deleted, missing } = quoted;
  const quote = make(missing ? "p" : "button", "quote");
  if (missing) quote.textContent = words.message.inReplyToEarlier;
  else {
    quote.type = "button";
    const excerpt = small("", deleted ? words.message.deleted : [...text].slice(0, QUOTED_CHARACTERS).join(""));
    excerpt.dir = "auto";
    quote.append(nameElement(name, author), excerpt);
    quote.prepend(icon("reply"), unseen(`${words.message.inReplyTo} `));
    quote.addEventListener("click", jump);
  }
  element.querySelector(".slip").prepend(quote);
}

/** A text of our own that is not known to be said. */
export function waitingElement({ kind, text, type }, name) {
  const element = slip({ kind, name, via: "web" });
  element.querySelector(".foot").append(small("fate", words.waiting.waiting));
  const body = element.querySelector(".text");
  showText(body, { kind, name }, text);
  showFold(body, isTall(text), () => showFold(body, false));
  if (type === "edit") element.querySelector(".slip").prepend(small("quote", words.message.correction));
  element.classList.add("own", "waiting");
  return element;
}

function showText(element, { kind, name, author }, text, mentions) {
  const said = marked(text, (piece) => mentions?.mark(piece) ?? piece);
  if (kind === "me") element.replaceChildren("* ", nameElement(name, author), " ", said);
  else element.replaceChildren(said);
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
  const open = button(words.message.unfold, unfold);
  open.classList.add("unfold");
  text.after(open);
}

/** Nothing becomes of a file but that it is deleted: what plays goes on. */
function showFile(element, file) {
  const shown = element.querySelector(".file");
  if (!file) shown?.remove();
  else if (!shown) element.querySelector(".text").before(fileElement(file));
}

function showMark(element, mark) {
  element.querySelector(".became")?.remove();
  if (mark) element.querySelector(".foot").append(small("became", mark));
}

/** The button that opens the menu. A press on a touch screen may be anywhere on the message. */
function showTools(element, deleted, name) {
  const hand = element.querySelector(".hand");
  if (deleted) hand?.remove();
  if (deleted || hand) return;
  const open = button("", () => {});
  open.className = "tools";
  open.tabIndex = -1;
  open.setAttribute("aria-label", words.message.actions(name));
  open.setAttribute("aria-haspopup", "menu");
  open.setAttribute("aria-expanded", "false");
  // A new message is read, not what can be done with it.
  open.setAttribute("aria-live", "off");
  const tools = make("div", "hand");
  tools.append(open);
  element.append(tools);
}

function showReactions(element, reactions) {
  const before = element.querySelector(".reactions");
  if (reactions.length === 0) return before?.remove();
  const row = make("div", "reactions");
  row.setAttribute("aria-live", "off");
  row.append(...reactions.map(reactionElement));
  const focused = before?.contains(document.activeElement) && document.activeElement.dataset.emoji;
  if (before) before.replaceWith(row);
  else element.querySelector(".slip").after(row);
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
  element.setAttribute("aria-label", `${emoji} ${count}, ${element.title}`);
  element.setAttribute("aria-pressed", isOurs);
  element.classList.toggle("waiting", Boolean(isPending));
  return element;
}

/** A row: who said it, above or in what was said where it reads "* ana waves". */
function slip({ kind, name, author, via }) {
  const element = make("article", "message");
  element.append(squareElement(name, via, author));
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
  paper.append(body, make("div", "foot"));
  element.append(paper);
  return element;
}

function unseen(text) {
  const element = make("span", "unseen");
  element.textContent = text;
  return element;
}
