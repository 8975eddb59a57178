// How many messages came while the page was out of sight, in its title.

const title = document.title;

export class Unread {
  #count = 0;

  /** Counts a message if nobody can see it. */
  count() {
    if (document.hidden) this.#show(this.#count + 1);
  }

  /** The page is in sight. Returns how many there were. */
  take() {
    const count = this.#count;
    this.#show(0);
    return count;
  }

  #show(count) {
    this.#count = count;
    document.title = count > 0 ? `(${count}) ${title}` : title;
  }
}
