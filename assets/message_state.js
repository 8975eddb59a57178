// What became of a message after it was said: its text now, the reactions to it, whether it is deleted. The events that
// tell so may come late, twice, or behind what a page of history has told already: each counts once.

/**
 * `authors` are those known by number; `names` are for people, and may be fewer than `count`.
 * @typedef {{emoji: string, names: string[], authors: Set<number>, count: number}} Reaction
 */

export class MessageState {
  text;
  /** @type {import("./shared_file.js").SharedFile | undefined} */
  file;
  edited;
  deleted;
  replyTo;
  /** @type {Reaction[]} in the order in which they were first given */
  reactions;
  /** The id of the last event that is in all this, and of those that have come since, by what they change. */
  #asOf;
  #changedBy = new Map();

  /**
   * @param {{text?: string, file?: object, edited?: boolean, deleted?: boolean, reply_to?: number, reactions?: object[]}} message
   * @param {number} asOf the id of the last event that the server knew when it told of this message
   */
  constructor({ text, file, edited, deleted, reply_to, reactions }, asOf) {
    this.text = text ?? "";
    this.file = deleted ? undefined : file;
    this.edited = Boolean(edited);
    this.deleted = Boolean(deleted);
    this.replyTo = reply_to;
    this.reactions = (reactions ?? []).map(({ emoji, names, count }) => {
      return { emoji, names: [...names], authors: new Set(), count: count ?? names.length };
    });
    this.#asOf = asOf;
  }

  /** What it is quoted by. */
  get excerpt() {
    return this.text || this.file?.name || "";
  }

  /** Takes an `edit`, `delete` or `reaction` of this message in. Returns whether that changed anything. */
  amend(event) {
    if (this.deleted) return false;
    if (event.type === "delete" || event.deleted) return this.#delete();
    const changed = event.type === "edit" ? "text" : `${event.author} ${event.emoji}`;
    if (event.id <= Math.max(this.#asOf, this.#changedBy.get(changed) ?? 0)) return false;
    this.#changedBy.set(changed, event.id);
    if (event.type === "edit") {
      this.text = event.text;
      this.edited = true;
      return true;
    }
    return event.on ? this.#react(event) : this.#takeBack(event);
  }

  /** Nothing of it stays. */
  #delete() {
    this.text = "";
    this.file = undefined;
    this.reactions = [];
    this.edited = false;
    this.replyTo = undefined;
    return (this.deleted = true);
  }

  #react({ emoji, author, name }) {
    let reaction = this.reactions.find((other) => other.emoji === emoji);
    if (!reaction) this.reactions.push((reaction = { emoji, names: [], authors: new Set(), count: 0 }));
    reaction.names.push(name);
    reaction.authors.add(author);
    reaction.count += 1;
    return true;
  }

  #takeBack({ emoji, author, name }) {
    const reaction = this.reactions.find((other) => other.emoji === emoji);
    if (!reaction) return false;
    reaction.authors.delete(author);
    reaction.count -= 1;
    // It may be listed by a name that it had before.
    const index = reaction.names.indexOf(name);
    if (index >= 0) reaction.names.splice(index, 1);
    reaction.names.length = Math.min(reaction.names.length, Math.max(reaction.count, 0));
    if (reaction.count <= 0) this.reactions = this.reactions.filter((other) => other !== reaction);
    return true;
  }
}
