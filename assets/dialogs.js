// Dialogs of the page, each a native one with a form: they close with Escape, a press outside, and when what was asked
// is done. Refusals stand in the dialog itself.

export class Dialog {
  #dialog;
  #form;
  #error;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {(form: HTMLFormElement) => void} submit
   */
  constructor(dialog, submit) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#error = dialog.querySelector(".error");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.refuse("");
      submit(this.#form);
    });
    dialog.querySelector("[data-close]").addEventListener("click", () => this.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) this.close();
    });
    dialog.addEventListener("close", () => this.#clear());
  }

  get isOpen() {
    return this.#dialog.open;
  }

  open() {
    this.refuse("");
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  /** Shows why it cannot be; no words take that away. */
  refuse(words) {
    this.#error.textContent = words;
    this.#error.hidden = !words;
  }

  /** Secrets do not stay in the page. */
  #clear() {
    for (const field of this.#form.querySelectorAll("[type=password]")) field.value = "";
  }
}
