// Who is in the room now. The server tells of a crowd in pages; meanwhile people come, go and change their names.

import { icon, make, markElement, small } from "./elements.js";
import { compare, nameElement, squareElement, viaWords } from "./format.js";
import { words } from "./words.js";

/** How often the pages are read from the beginning, should somebody have been left out. */
const MAX_ROUNDS = 3;

export class Members {
  #list;
  #count;
  /** @type {Map<string, {via: string, op?: boolean, account?: boolean, item: HTMLElement}>} those known, by name */
  #members = new Map();
  /** @type {string[]} their names in the order of the list */
  #sorted = [];
  #ownName = "";
  /** How many are here whose names are not known yet. */
  #unlisted = 0;
  /** @type {string[]} the last page's names, in the server's order, as far as they are still here */
  #told = [];
  /** Names that somebody has given up since the last question: an answer may be older than that. */
  #gone = new Set();
  #rounds = 0;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} count
   */
  constructor(list, count) {
    this.#list = list;
    this.#count = count;
  }

  /**
   * Begins anew with what `joined` tells.
   * @param {{members: {name: string, via: string, op?: boolean, account?: boolean}[], count: number}} joined
   */
  replace({ members, count }, ownName) {
    this.#ownName = ownName;
    this.#members.clear();
    this.#sorted = [];
    this.#rounds = 0;
    this.#gone.clear();
    this.#list.replaceChildren();
    this.#take(members, count);
  }

  /** Whether there is anybody left to ask for. */
  get incomplete() {
    return this.#unlisted > 0 && this.#rounds < MAX_ROUNDS;
  }

  /** Asks for those after the last one that was told. */
  question() {
    this.#gone.clear();
    return { type: "who", after: this.#told.at(-1) };
  }

  /** Takes in an answer to that. */
  add({ members, count, more }) {
    this.#take(members.filter(({ name }) => !this.#gone.has(name)), count);
    if (more) return;
    // Whoever is still missing has been passed over while places changed hands.
    this.#told = [];
    this.#rounds += 1;
  }

  enter({ name, via, op, account }) {
    // Whoever is known already may be connected in another way now.
    this.#leave(name);
    this.#gone.delete(name);
    this.#insert(name, { via, op, account });
    this.#showCount();
  }

  part(name) {
    if (!this.#leave(name)) this.#unlisted = Math.max(this.#unlisted - 1, 0);
    this.#told = this.#told.filter((told) => told !== name);
    this.#showCount();
  }

  rename(name, to) {
    const member = this.#leave(name);
    this.#gone.delete(to);
    if (name === this.#ownName) this.#ownName = to;
    this.#told = this.#told.map((told) => (told === name ? to : told));
    // Somebody not known yet is told later, by the new name.
    if (member) this.#insert(to, member);
    this.#showCount();
  }

  /** Somebody has become an operator, or claimed his name, or is and has it no more. */
  mark(name, marks) {
    const member = this.#members.get(name);
    if (!member) return;
    Object.assign(member, marks);
    const item = this.#item(name, member);
    const hadKeyboard = member.item.contains(document.activeElement);
    member.item.replaceWith(item);
    member.item = item;
    if (hadKeyboard) item.querySelector("button")?.focus();
  }

  isOperator(name) {
    return Boolean(this.#members.get(name)?.op);
  }

  hasAccount(name) {
    return Boolean(this.#members.get(name)?.account);
  }

  /** Whether nobody else is here. */
  get isAlone() {
    return this.#members.size + this.#unlisted <= 1;
  }

  get names() {
    return this.#sorted;
  }

  #take(members, count) {
    for (const member of members) this.#insert(member.name, member);
    this.#unlisted = Math.max(count - this.#members.size, 0);
    // Oneself stands first in `joined`, whatever the place: nobody can be asked for after that.
    this.#told = members.map(({ name }) => name).filter((name) => name !== this.#ownName);
    this.#showCount();
  }

  /**
   * Puts somebody into the list. Nothing is measured in between, so that a page of them is laid out once, and those
   * who are in the list already stay as they are: also what is selected, and how far it is scrolled.
   */
  #insert(name, { via, op, account }) {
    if (this.#members.has(name)) return;
    const item = this.#item(name, { via, op, account });
    const index = this.#indexOf(name);
    this.#list.insertBefore(item, this.#members.get(this.#sorted[index])?.item ?? null);
    this.#sorted.splice(index, 0, name);
    this.#members.set(name, { via, op, account, item });
  }

  /** A name is nobody's any more. Returns its member, if it was known. */
  #leave(name) {
    this.#gone.add(name);
    const member = this.#members.get(name);
    if (!member) return undefined;
    member.item.remove();
    this.#members.delete(name);
    this.#sorted.splice(this.#sorted.indexOf(name), 1);
    return member;
  }

  /** The place in the list before the first name that comes after this one. */
  #indexOf(name) {
    let [from, to] = [0, this.#sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compare(this.#sorted[middle], name) > 0) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #showCount() {
    this.#count.textContent = this.#members.size + this.#unlisted;
  }

  #item(name, { via, op, account }) {
    const item = document.createElement("li");
    const isOurs = name === this.#ownName;
    const marks = make("span", "marks");
    item.dataset.name = name;
    item.append(squareElement(name, via), nameElement(name));
    if (account) item.append(claimedMark());
    if (isOurs) item.append(small("mark", words.member.you));
    if (op) marks.append(badge(words.member.operator));
    if (via !== "web") marks.append(markElement("term", viaWords(via), !op));
    if (!isOurs) marks.append(opener(name));
    item.append(marks);
    return item;
  }
}

function claimedMark() {
  const mark = make("span", "claimed");
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", words.member.claimed);
  mark.title = words.member.claimedMeans;
  mark.append(icon("check"));
  return mark;
}

function badge(mark) {
  const element = markElement("key", mark, true);
  element.classList.add("badge");
  return element;
}

/** The button that opens the menu; the style sheet shows it to operators. */
function opener(name) {
  const element = make("button", "tools");
  element.type = "button";
  element.append(icon("more"));
  element.setAttribute("aria-label", words.member.actions(name));
  element.setAttribute("aria-haspopup", "menu");
  element.setAttribute("aria-expanded", "false");
  return element;
}
