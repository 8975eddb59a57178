// The icons: one family, lines of one weight on a field of 20 by 20. The page draws them with `<use href="#i-NAME">`.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  alert: '<circle cx="10" cy="10" r="6.75"/><path d="M10 6.5V10.5M10 13.25h.01"/>',
  bell: '<path d="M5 13.75V9a5 5 0 0 1 10 0v4.75l1.25 1.5H3.75zM8.5 17.25h3"/>',
  check: '<path d="m4.5 10.5 3.75 3.75 7.5-8"/>',
  clip: '<path d="m15.9 9.4-5.9 5.9a3.7 3.7 0 0 1-5.2-5.2l6.3-6.3a2.45 2.45 0 0 1 3.5 3.5l-6.3 6.3a1.23 1.23 0 0 1-1.75-1.75l5.7-5.7"/>',
  clock: '<circle cx="10" cy="10" r="6.75"/><path d="M10 6v4l2.5 1.75"/>',
  close: '<path d="m5.25 5.25 9.5 9.5M14.75 5.25l-9.5 9.5"/>',
  copy: '<rect x="7.25" y="7.25" width="9" height="9" rx="1.75"/><path d="M4.9 12.75A1.75 1.75 0 0 1 3.75 11V5.5c0-1 .8-1.75 1.75-1.75H11c.8 0 1.4.5 1.65 1.15"/>',
  down: '<path d="M10 4v11.5M5.25 10.75 10 15.5l4.75-4.75"/>',
  edit: '<path d="m4 16 .7-3.2 8.3-8.3a1.77 1.77 0 0 1 2.5 2.5l-8.3 8.3z"/><path d="m11.5 6 2.5 2.5"/>',
  file: '<path d="M11.25 3.25h-5A1.5 1.5 0 0 0 4.75 4.75v10.5c0 .8.7 1.5 1.5 1.5h7.5c.8 0 1.5-.7 1.5-1.5v-8z"/><path d="M11.25 3.25v4h4M7.5 10.5h5M7.5 13.25h3.5"/>',
  gear: '<path d="M3.25 6h6.5M13.75 6h3M3.25 14h3M10.25 14h6.5"/><circle cx="11.75" cy="6" r="2"/><circle cx="8.25" cy="14" r="2"/>',
  key: '<circle cx="6.75" cy="13.25" r="3"/><path d="m9 11 7-7M13 7l2.25 2.25M10.75 9.25 12 10.5"/>',
  leave: '<path d="M8.25 3.75h-3a1.5 1.5 0 0 0-1.5 1.5v9.5a1.5 1.5 0 0 0 1.5 1.5h3M12.75 6.5 16.25 10l-3.5 3.5M16 10H7.75"/>',
  link: '<path d="M8.5 11.5a3 3 0 0 0 4.3 0l2.8-2.8a3 3 0 0 0-4.3-4.3l-.9.9"/><path d="M11.5 8.5a3 3 0 0 0-4.3 0l-2.8 2.8a3 3 0 0 0 4.3 4.3l.9-.9"/>',
  lock: '<rect x="4.75" y="9" width="10.5" height="7.75" rx="1.75"/><path d="M7 9V6.5a3 3 0 0 1 6 0V9"/>',
  more: '<path d="M4.75 10h.01M10 10h.01M15.25 10h.01" stroke-width="2.25"/>',
  mute: '<path d="M6.5 4.25h8A2 2 0 0 1 16.5 6.25v5.5c0 .6-.3 1.2-.7 1.5M12.5 13.75H9l-3.25 3v-3a2 2 0 0 1-2.25-2v-5.5c0-.3.1-.6.2-.9M3 3l14 14"/>',
  people: '<circle cx="7.75" cy="6.75" r="2.75"/><path d="M2.75 16c.3-3 2.3-4.5 5-4.5s4.7 1.5 5 4.5"/><path d="M13 4.25a2.75 2.75 0 0 1 0 5M14.75 11.9c1.5.7 2.3 2.1 2.5 4.1"/>',
  qr: '<rect x="3.5" y="3.5" width="5" height="5" rx="1"/><rect x="11.5" y="3.5" width="5" height="5" rx="1"/><rect x="3.5" y="11.5" width="5" height="5" rx="1"/><path d="M11.5 11.5h2v2M16.5 11.5v2M11.5 16.5h2M16.5 16.5h-.01"/>',
  react: '<path d="M11.5 3.42A6.75 6.75 0 1 0 16.58 8.5"/><path d="M7.25 11.75c.6 1 1.6 1.5 2.75 1.5s2.15-.5 2.75-1.5M7.75 8.25h.01M12.25 8.25h.01M15.5 2.5v4M13.5 4.5h4"/>',
  reply: '<path d="M8 4.75 3.75 9 8 13.25"/><path d="M3.75 9h7.5a5 5 0 0 1 5 5v1.25"/>',
  save: '<path d="M10 3.75v8.5M6.25 8.75 10 12.5l3.75-3.75M3.75 16.25h12.5"/>',
  search: '<circle cx="9" cy="9" r="5.25"/><path d="m13 13 3.75 3.75"/>',
  send: '<path d="M10 16V4.5M5.25 9.25 10 4.5l4.75 4.75"/>',
  sign: '<circle cx="10" cy="10" r="2.75"/><path d="M12.75 7.25v3.5a1.95 1.95 0 0 0 4 0V10a6.75 6.75 0 1 0-2.65 5.35"/>',
  smile: '<circle cx="10" cy="10" r="6.75"/><path d="M7.25 11.75c.6 1 1.6 1.5 2.75 1.5s2.15-.5 2.75-1.5M7.75 8.25h.01M12.25 8.25h.01"/>',
  term: '<rect x="2.75" y="4" width="14.5" height="12" rx="2"/><path d="m6 8 2.25 2L6 12M10.25 12.25h3.5"/>',
  trash: '<path d="M4 5.75h12M8 5.5V4.25c0-.5.4-1 1-1h2c.6 0 1 .5 1 1V5.5M5.5 5.75l.6 9.6c.05.8.7 1.4 1.5 1.4h4.8c.8 0 1.45-.6 1.5-1.4l.6-9.6M8.5 9v4.5M11.5 9v4.5"/>',
};

const symbols = Object.entries(ICONS).map(([name, lines]) => `<symbol id="i-${name}" viewBox="0 0 20 20">${lines}</symbol>`);
const sheet = new DOMParser().parseFromString(`<svg xmlns="${SVG}">${symbols.join("")}</svg>`, "image/svg+xml").documentElement;
sheet.setAttribute("class", "icons");
sheet.setAttribute("aria-hidden", "true");
document.body.prepend(sheet);
