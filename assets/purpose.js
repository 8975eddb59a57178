// What the text that is being written is for, if it is more than to be said: a reply to a message, or a correction of
// one's own. A line above the text field says so.

import { words } from "./words.js";

const EXCERPT_CHARACTERS = 120;

/** @typedef {{action: "reply" | "edit", of: number, epoch: string, kind: string, name: string, text: string}} Aim */

/**
 * What a text is for that is written next.
 * @returns {Aim}
 */
export function aimAt({ event, state }, action, epoch) {
  return { action, of: event.id, epoch, kind: event.kind, name: event.name, text: action === "edit" ? state.text : state.excerpt };
}

export class Purpose {
  #line;
  #about;
  /** @type {Aim | null} */
  aim = null;

  /**
   * @param {HTMLElement} line
   * @param {() => void} dropped
   */
  constructor(line, dropped) {
    this.#line = line;
    this.#about = line.querySelector("p");
    line.querySelector("button").addEventListener("click", dropped);
  }

  /** @param {Aim | null} aim */
  set(aim) {
    this.aim = aim;
    this.#line.hidden = !aim;
    this.#about.replaceChildren();
    if (!aim) return;
    const name = document.createElement("bdi");
    const excerpt = document.createElement("q");
    name.textContent = aim.name;
    excerpt.textContent = [...aim.text].slice(0, EXCERPT_CHARACTERS).join("");
    excerpt.dir = "auto";
    // Of what is not on the page no words are known.
    excerpt.hidden = !aim.text;
    const { replying, editing } = words.composer;
    this.#about.append(...(aim.action === "reply" ? replying(name) : [editing]), " ", excerpt);
  }
}
