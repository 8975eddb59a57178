// The files on their way, at the end of the conversation: how far they are, and what can be done about them.

import { make, remediesElement, small } from "./elements.js";
import { percent } from "./format.js";
import { labelElement } from "./shared_file.js";
import { words } from "./words.js";

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
      element.remove();
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
    const state = stateOf(upload);
    if (fate.textContent !== state) fate.textContent = state;
    if (shown.state === upload.state) return;
    shown.state = upload.state;
    const hadKeyboard = element.querySelector(".remedies")?.contains(document.activeElement);
    element.classList.toggle("failed", upload.state === "failed");
    element.classList.toggle("waiting", upload.state !== "failed");
    element.querySelector(".remedies")?.remove();
    const retry = () => this.#remedies.retry(upload.cid);
    const discard = () => this.#remedies.discard(upload.cid);
    const failed = { [words.waiting.retry]: retry, [words.waiting.discard]: discard };
    element.append(remediesElement(upload.state === "failed" ? failed : { [words.files.cancel]: discard }));
    if (hadKeyboard) element.querySelector(".remedies button").focus();
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
      image.addEventListener("error", () => image.remove());
      about.append(image);
    }
    about.append(labelElement(file), shown.bar);
    shown.bar.setAttribute("aria-label", words.files.sharing(file.name));
    const body = make("div", "text");
    body.dir = "auto";
    body.textContent = text;
    body.hidden = !text;
    const foot = make("div", "foot");
    foot.append(shown.fate);
    paper.append(about, body, foot);
    element.append(paper);
    element.dataset.cid = cid;
    this.#shown.set(cid, shown);
    return shown;
  }
}

function stateOf({ state, progress, failure }) {
  if (state === "failed") return words.files.notShared(failure);
  if (state === "waiting") return words.files.waiting;
  return progress === 1 ? words.files.almost : percent(progress);
}
