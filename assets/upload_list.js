// The files on their way, at the end of the conversation: how far they are, and what can be done about them.

import { make, remediesElement, small } from "./elements.js";
import { labelElement } from "./shared_file.js";

export class UploadList {
  #list;
  #scroll;
  #remedies;
  /** What is shown, by `cid`. */
  #shown = new Map();

  /**
   * @param {HTMLElement} list
   * @param {import("./scroll.js").Scroll} scroll
   * @param {Record<"retry" | "discard", (cid: string) => void>} remedies
   */
  constructor(list, scroll, remedies) {
    this.#list = list;
    this.#scroll = scroll;
    this.#remedies = remedies;
  }

  /** @param {import("./uploads.js").Upload[]} uploads */
  show(uploads) {
    for (const [cid, { element, preview }] of this.#shown) {
      if (uploads.some((upload) => upload.cid === cid)) continue;
      if (preview) URL.revokeObjectURL(preview);
      const hadKeyboard = element.contains(document.activeElement);
      element.remove();
      // Not to the next file: what was meant for this one would be done to that.
      if (hadKeyboard) this.#list.closest("[tabindex]").focus({ preventScroll: true });
      this.#shown.delete(cid);
    }
    for (const upload of uploads) this.#update(upload);
    // Those that were tried again stand at the end.
    uploads.forEach(({ cid }, index) => {
      const { element } = this.#shown.get(cid);
      if (this.#list.children[index] !== element) this.#list.insertBefore(element, this.#list.children[index] ?? null);
    });
    this.#scroll.follow();
  }

  #update(upload) {
    const shown = this.#shown.get(upload.cid) ?? this.#add(upload);
    const { element, bar, fate } = shown;
    bar.value = upload.progress;
    bar.hidden = upload.state === "failed";
    const words = wordsOf(upload);
    // How far it is, is there to be read; that it is not shared is said.
    if (upload.state === "failed") fate.setAttribute("role", "alert");
    else fate.removeAttribute("role");
    if (fate.textContent !== words) fate.textContent = words;
    const remedies = this.#remediesOf(upload);
    const known = Object.keys(remedies).join();
    if (shown.remedies === known) return;
    shown.remedies = known;
    const hadKeyboard = element.querySelector(".remedies")?.contains(document.activeElement);
    element.classList.toggle("failed", upload.state === "failed");
    element.classList.toggle("waiting", upload.state !== "failed");
    element.querySelector(".remedies")?.remove();
    element.append(remediesElement(remedies));
    if (hadKeyboard) element.querySelector(".remedies button").focus();
  }

  #remediesOf({ cid, state, delay }) {
    const { retry, discard } = this.#remedies;
    const [Retry, Discard] = [retry, discard].map((run) => () => run(cid));
    if (state === "failed") return { Retry, Discard };
    return delay ? { Retry, Cancel: Discard } : { Cancel: Discard };
  }

  #add({ cid, file, text }) {
    const element = make("article", "message own upload");
    const paper = make("div", "slip");
    const about = make("div", "file");
    const shown = { element, fate: small("fate", ""), bar: document.createElement("progress") };
    if (file.type.startsWith("image/")) {
      shown.preview = URL.createObjectURL(file);
      const image = new Image();
      image.alt = "";
      image.src = shown.preview;
      image.addEventListener("load", () => this.#scroll.follow());
      image.addEventListener("error", () => image.remove());
      about.append(image);
    }
    about.append(labelElement(file), shown.bar);
    shown.bar.setAttribute("aria-label", `Sharing ${file.name}`);
    const words = make("div", "text");
    words.dir = "auto";
    words.textContent = text;
    words.hidden = !text;
    const foot = make("div", "foot");
    foot.append(shown.fate);
    paper.append(about, words, foot);
    element.append(paper);
    element.dataset.cid = cid;
    this.#shown.set(cid, shown);
    return shown;
  }
}

function wordsOf({ state, progress, failure, delay }) {
  if (state === "failed") return `Not shared. ${failure}`;
  if (state === "waiting") return delay ?? "waiting";
  return progress === 1 ? "almost there" : `${Math.floor(progress * 100)} %`;
}
