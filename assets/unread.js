// How many messages came while the page was out of sight, in its title and its icon.

const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const plainIcon = icon?.href;
/** The icon's room, with a lamp on it that tells the number. */
const MOST = 99;

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
    if (count === this.#count) return;
    this.#count = count;
    document.title = count > 0 ? `(${count}) ${title}` : title;
    if (icon) icon.href = count > 0 ? countedIcon(count) : plainIcon;
  }
}

/** `icon.svg` with a number over it. An icon that is small shows no more than two digits. */
function countedIcon(count) {
  const digits = count > MOST ? `${MOST}+` : String(count);
  const width = 26 + 11 * (digits.length - 1);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
    <rect width="64" height="64" rx="15" fill="#452f22"/>
    <path d="M13 44V28a19 19 0 0 1 38 0v16a4 4 0 0 1-4 4H31l-9 9v-9h-5a4 4 0 0 1-4-4z" fill="#f2b765"/>
    <rect x="${64 - width}" y="30" width="${width}" height="34" rx="13" fill="#c3351f"/>
    <text x="${64 - width / 2}" y="56" font-family="sans-serif" font-size="${digits.length > 2 ? 22 : 27}"
      font-weight="700" text-anchor="middle" fill="#fff">${digits}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
