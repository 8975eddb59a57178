// Choosing what to share: by the button, pasted, or dropped anywhere on the page. It is all looked at in a dialog before
// anything of it is sent.

import { Dialog } from "./dialogs.js";
import { button, make, small } from "./elements.js";
import { byteSize } from "./format.js";
import { labelElement } from "./shared_file.js";

const ENCODER = new TextEncoder();
const FOLDER = "A folder cannot be shared, only the files in it.";

export class FileChoice {
  #opener;
  #input;
  #overlay;
  #dialog;
  #form;
  #list;
  #handlers;
  /** Bytes of one file; 0: none are shared here. */
  #limit_bytes = 0;
  #textLimit_bytes = Infinity;
  /** @type {{file: File, preview?: string}[]} */
  #chosen = [];

  /**
   * @param {{opener: HTMLButtonElement, input: HTMLInputElement, overlay: HTMLElement, dialog: HTMLDialogElement}} elements
   * @param {{share: (files: File[], text: string) => void, refused: (words: string) => void, closed: () => void}} handlers
   */
  constructor({ opener, input, overlay, dialog }, handlers) {
    this.#opener = opener;
    this.#input = input;
    this.#overlay = overlay;
    this.#form = dialog.querySelector("form");
    this.#list = dialog.querySelector("ul");
    this.#handlers = handlers;
    this.#dialog = new Dialog(dialog, () => this.#submit());
    dialog.addEventListener("close", () => {
      // Browsers tell it a little later: it may be open again.
      if (dialog.open) return;
      this.#clear();
      handlers.closed();
    });
    opener.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add(input.files);
      // The same file may be chosen again.
      input.value = "";
    });
    document.addEventListener("paste", (event) => this.#paste(event));
    for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
      document.addEventListener(type, (event) => this.#drag(event));
    }
  }

  /** @param {{file?: number, message: number}} limits */
  limit({ file, message }) {
    this.#limit_bytes = file ?? 0;
    this.#textLimit_bytes = message;
    this.#opener.hidden = !this.#limit_bytes;
    this.#opener.form.classList.toggle("shares", !this.#opener.hidden);
  }

  /** Adds files to those that are chosen. */
  add(files) {
    if (!this.#limit_bytes || files.length === 0) return;
    const wasOpen = this.#dialog.isOpen;
    if (!wasOpen) this.#clear();
    this.#dialog.open();
    for (const file of files) this.#chosen.push(this.#show(file));
    this.#checkWhole();
    if (wasOpen) return;
    // On a touch screen the field would bring a keyboard over what is to be looked at.
    const isTouched = !matchMedia("(pointer: fine)").matches;
    (isTouched ? this.#form.querySelector(".primary") : this.#form.elements.text).focus();
  }

  /** A picture that comes along with a text, as from a table, stands for the text. */
  #paste(event) {
    const { types, files } = event.clipboardData ?? {};
    if (!this.#limit_bytes || !files?.length) return;
    if (types.includes("text/plain") && types.includes("text/html")) return;
    event.preventDefault();
    this.#addGiven(event.clipboardData);
  }

  #drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    // Or the browser would show the file in the place of the page.
    event.preventDefault();
    event.dataTransfer.dropEffect = this.#limit_bytes ? "copy" : "none";
    if (!this.#limit_bytes) return;
    if (event.type === "dragleave" && event.relatedTarget) return;
    this.#overlay.hidden = event.type === "dragleave" || event.type === "drop";
    if (event.type === "drop") this.#addGiven(event.dataTransfer);
  }

  /** Adds the files of a paste or a drop. Folders are among them, as if they were some. */
  #addGiven({ items, files }) {
    const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory;
    const given = [...items].filter(({ kind }) => kind === "file");
    const notFolders = given.filter((item) => !isFolder(item));
    if (notFolders.length === given.length) return this.add(files);
    this.add(notFolders.map((item) => item.getAsFile()).filter(Boolean));
    if (this.#dialog.isOpen) this.#dialog.refuse(FOLDER);
    else this.#handlers.refused(FOLDER);
  }

  #show(file) {
    const chosen = { file, item: make("li", "") };
    if (file.type.startsWith("image/")) {
      chosen.preview = URL.createObjectURL(file);
      const image = new Image();
      image.alt = "";
      image.src = chosen.preview;
      // It only calls itself one.
      image.addEventListener("error", () => image.remove());
      chosen.item.append(image);
    }
    chosen.item.append(labelElement(file));
    if (this.#isTooLarge(file)) {
      const most = byteSize(this.#limit_bytes);
      const refusal = small("error", `Too large to be shared here: a file may have ${most}.`);
      refusal.setAttribute("role", "alert");
      chosen.item.append(refusal);
    }
    const takeOut = button("×", () => this.#takeOut(chosen));
    takeOut.setAttribute("aria-label", `Take ${file.name} out`);
    chosen.item.append(takeOut);
    this.#list.append(chosen.item);
    // Among many others it would not be seen.
    if (this.#isTooLarge(file)) chosen.item.scrollIntoView({ block: "nearest" });
    return chosen;
  }

  #takeOut(chosen) {
    const next = (chosen.item.nextElementSibling ?? chosen.item.previousElementSibling)?.querySelector("button");
    this.#chosen = this.#chosen.filter((other) => other !== chosen);
    this.#forget(chosen);
    if (this.#chosen.length === 0) return this.#dialog.close();
    this.#checkWhole();
    next?.focus();
  }

  /** What is too large stays in sight, and is not sent. */
  #checkWhole() {
    const count = this.#sendable.length;
    const send = this.#form.querySelector(".primary");
    send.disabled = count === 0;
    send.textContent = count > 1 ? `Share ${count} files` : "Share";
  }

  get #sendable() {
    return this.#chosen.map(({ file }) => file).filter((file) => !this.#isTooLarge(file));
  }

  #isTooLarge({ size }) {
    return size > this.#limit_bytes;
  }

  #submit() {
    const files = this.#sendable;
    const text = this.#form.elements.text.value.trim();
    const bytes = ENCODER.encode(text).length;
    if (bytes > this.#textLimit_bytes) {
      return this.#dialog.refuse(`This text is ${bytes} bytes long; it may have ${this.#textLimit_bytes}.`);
    }
    if (files.length === 0) return;
    this.#handlers.share(files, text);
    this.#dialog.close();
  }

  #clear() {
    this.#chosen.forEach((chosen) => this.#forget(chosen));
    this.#chosen = [];
    this.#form.elements.text.value = "";
  }

  #forget({ item, preview }) {
    if (preview) URL.revokeObjectURL(preview);
    item.remove();
  }
}
