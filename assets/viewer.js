// A picture of the conversation, large. Escape closes it, and so does a press beside it; the arrow keys lead to the others.

import { words } from "./words.js";

export class Viewer {
  #log;
  #dialog;
  #image;
  #link;
  /** The small picture whose large one is shown, and its message. */
  #shown = null;
  #message = null;

  /**
   * @param {HTMLElement} log
   * @param {HTMLDialogElement} dialog
   */
  constructor(log, dialog) {
    this.#log = log;
    this.#dialog = dialog;
    this.#image = dialog.querySelector("img");
    this.#link = dialog.querySelector("a");
    log.addEventListener("click", ({ target }) => {
      const picture = target.closest(".picture");
      if (picture) this.#open(picture);
    });
    dialog.addEventListener("click", ({ target }) => {
      if (!target.closest("a, img")) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#go(-1);
      if (event.key === "ArrowRight") this.#go(1);
      if (event.key === "Escape") {
        // Nothing else that is open closes with it.
        event.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("close", () => this.#closed());
  }

  /** What is deleted is not looked at any more. */
  check() {
    if (this.#shown && !this.#shown.isConnected) this.#dialog.close();
  }

  #open(picture) {
    this.#show(picture);
    this.#dialog.showModal();
  }

  #show(picture) {
    const { address, name } = picture.dataset;
    this.#shown = picture;
    this.#message = picture.closest(".message");
    this.#image.src = address;
    this.#image.alt = name;
    this.#link.href = address;
    this.#link.download = name;
    this.#link.querySelector("bdi").textContent = name;
    this.#dialog.setAttribute("aria-label", words.files.picture(name));
  }

  #go(step) {
    const pictures = [...this.#log.querySelectorAll(".picture")];
    const next = pictures[pictures.indexOf(this.#shown) + step];
    if (next) this.#show(next);
  }

  /** Not every browser gives the keyboard back to what was clicked, and what is deleted cannot take it. */
  #closed() {
    // It is told a moment later: by then another picture may be shown.
    if (this.#dialog.open) return;
    this.#image.removeAttribute("src");
    const place = this.#shown?.isConnected ? this.#shown : this.#message;
    place?.focus({ preventScroll: true });
    place?.scrollIntoView({ block: "nearest" });
    [this.#shown, this.#message] = [null, null];
  }
}
