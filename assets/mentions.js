// Whether somebody is spoken to: by his name, with an @ or without.

/** A shorter name may be a word of the language: it needs the @. */
const UNMISTAKABLE_CHARACTERS = 3;

export class Mentions {
  /** @type {RegExp | null} */
  #pattern = null;

  /** @param {Iterable<string>} names all that one is called */
  constructor(names) {
    const alternatives = Array.from(names, (name) => {
      const at = [...name].length < UNMISTAKABLE_CHARACTERS ? "@" : "@?";
      return at + name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    });
    if (alternatives.length === 0) return;
    this.#pattern = new RegExp(`(?<![\\p{L}\\p{N}@])(?:${alternatives.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  }

  /** Whether one of the names is in a text. */
  isIn(text) {
    return this.#pattern !== null && text.search(this.#pattern) >= 0;
  }

  /** A text, the names in it marked. */
  mark(text) {
    if (!this.#pattern) return text;
    const pieces = document.createDocumentFragment();
    let end = 0;
    for (const { 0: name, index } of text.matchAll(this.#pattern)) {
      const mark = document.createElement("mark");
      mark.textContent = name;
      pieces.append(text.slice(end, index), mark);
      end = index + name.length;
    }
    pieces.append(text.slice(end));
    return pieces;
  }
}
