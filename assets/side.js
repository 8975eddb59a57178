// The people's panel: a column beside the conversation, which stays as it was left, or, where there is no room for one, a
// drawer over the page, which Escape and the way back close.

import { memory } from "./memory.js";

export class Side {
  #panel;
  #opener;
  #veil;
  #behind;
  #wide = matchMedia("(min-width: 44rem)");
  #memory;

  /**
   * @param {{panel: HTMLElement, opener: HTMLButtonElement, veil: HTMLElement, behind: HTMLElement[]}} elements `behind`:
   *   what a drawer lies over
   * @param {string} prefix of what is stored
   */
  constructor({ panel, opener, veil, behind }, prefix) {
    this.#panel = panel;
    this.#opener = opener;
    this.#veil = veil;
    this.#behind = behind;
    this.#memory = memory("localStorage", prefix);
    opener.addEventListener("click", () => (panel.hidden ? this.open() : this.close()));
    veil.addEventListener("click", () => this.close());
    panel.querySelector(".close").addEventListener("click", () => this.close());
    panel.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && this.#isDrawer) this.close();
    });
    addEventListener("popstate", () => {
      if (this.#isDrawer && !panel.hidden) this.#put(false);
    });
    this.#wide.addEventListener("change", () => this.#arrange());
    // A page that was loaded anew begins without the drawer.
    if (history.state?.drawer) history.replaceState(null, "");
    this.#arrange();
  }

  open() {
    if (!this.#panel.hidden) return;
    this.#put(true);
    if (this.#isDrawer) history.pushState({ drawer: true }, "");
    else this.#memory.forget("side");
  }

  close() {
    if (this.#panel.hidden) return;
    this.#put(false);
    if (!this.#isDrawer) this.#memory.write("side", "closed");
    else if (history.state?.drawer) history.back();
  }

  get #isDrawer() {
    return !this.#wide.matches;
  }

  /** There is room for a column now, or no more. */
  #arrange() {
    this.#show(this.#wide.matches && this.#memory.read("side") !== "closed");
  }

  /** The keyboard goes into a drawer, and back to where it came from. */
  #put(isOpen) {
    const hadKeyboard = this.#panel.contains(document.activeElement);
    this.#show(isOpen);
    if (isOpen && this.#isDrawer) this.#panel.querySelector(".close").focus();
    else if (!isOpen && (hadKeyboard || this.#isDrawer)) this.#opener.focus();
  }

  #show(isOpen) {
    const isOver = isOpen && this.#isDrawer;
    this.#panel.hidden = !isOpen;
    this.#opener.setAttribute("aria-expanded", isOpen);
    this.#veil.hidden = !isOver;
    for (const element of this.#behind) element.inert = isOver;
    if (isOver) this.#panel.setAttribute("role", "dialog");
    else this.#panel.removeAttribute("role");
    this.#panel.toggleAttribute("aria-modal", isOver);
    if (isOver) this.#panel.setAttribute("aria-modal", "true");
  }
}
