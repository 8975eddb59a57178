// The texts that wait to be said, at the end of the timeline, and what can be done about those that cannot be.

import { remediesElement } from "./elements.js";
import { attempt } from "./guard.js";
import { plainElement } from "./plain.js";
import { waitingElement } from "./slips.js";
import { words } from "./words.js";

export class Waiting {
  #list;
  #scroll;
  #remedies;

  /**
   * @param {HTMLElement} list
   * @param {import("./scroll.js").Scroll} scroll
   * @param {Record<"retry" | "edit" | "discard", (cid: string) => void>} remedies
   */
  constructor(list, scroll, remedies) {
    this.#list = list;
    this.#scroll = scroll;
    this.#remedies = remedies;
  }

  /** @param {import("./outbox.js").Entry[]} entries */
  show(entries, ownName) {
    const shown = new Map(Array.from(this.#list.children, (element) => [element.dataset.cid, element]));
    const { activeElement } = document;
    const hadKeyboard = this.#list.contains(activeElement);
    this.#list.replaceChildren(
      ...entries.map((entry) => {
        const same = shown.get(entry.cid);
        if (same?.classList.contains(fateOf(entry))) return same;
        return this.#element(entry, ownName);
      }),
    );
    // What is moved loses the keyboard as well. From what is gone it does not go to the next text: what was meant for that
    // one would be done to this.
    const place = activeElement?.isConnected ? activeElement : this.#list.closest("[tabindex]");
    if (hadKeyboard) place.focus({ preventScroll: true });
    this.#scroll.follow();
  }

  #element(entry, ownName) {
    const element = attempt(
      () => waitingElement(entry, ownName),
      () => plainWaiting(entry, ownName),
    );
    const fate = fateOf(entry);
    element.dataset.cid = entry.cid;
    if (fate === "waiting") return element;
    element.classList.replace("waiting", fate);
    element.querySelector(".fate").textContent = words.waiting.notSent(entry.failure ?? entry.delay);
    // What is only delayed may be said at any moment: it is not the time to mend it.
    const ways = fate === "failed" ? ["retry", "edit", "discard"] : ["retry", "discard"];
    const remedies = ways.map((way) => [words.waiting[way], () => this.#remedies[way](entry.cid)]);
    element.append(remediesElement(Object.fromEntries(remedies)));
    return element;
  }
}

/** A text that cannot be shown as it should be. */
function plainWaiting({ text }, name) {
  const element = plainElement({ type: "message", name, text });
  element.classList.add("own", "waiting");
  element.querySelector("time").className = "fate";
  return element;
}

/** How it stands with a text that is not known to be said. */
function fateOf({ failure, delay }) {
  if (failure) return "failed";
  return delay ? "delayed" : "waiting";
}
