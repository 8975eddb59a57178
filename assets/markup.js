// From a text to what a person reads: addresses as links, `code`, blocks of it, *emphasis*, one's own name. Everything is made
// of nodes; nothing here parses HTML. However long a text is, it is read once.

/** Three backticks, a language that is not shown, and all up to the next three. */
const BLOCK = /```(?:[\w+#.-]*\n)?([^]*?)\n?```\n?/g;
const CODE = /`([^`\n]+)`/g;
/** Ends at what Chinese and Japanese end sentences with, too: there no space follows. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"`\u3000-\u303f\uff00-\uffef]+/gi;
/** Between spaces or punctuation, and no space inside of the asterisks. */
const EMPHASIS = /(?<![\p{L}\p{N}*])\*(?![\s*])([^*\n]*[^*\s])\*(?![\p{L}\p{N}*])/gu;
const PUNCTUATION = ".,;:!?'*_~\u201d\u2019\u00bb\u2026";
const BRACKETS = { ")": "(", "]": "[", "}": "{" };
/** One emoji as people see it: a flag, a keycap, or a picture with its colour and what is joined to it. */
const EMOJI =
  /^(?:\p{RI}{2}|[0-9#*]\ufe0f?\u20e3|(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f)[\p{EMod}\ufe0f\u{e0020}-\u{e007f}]*(?:\u200d\p{ExtPict}[\p{EMod}\ufe0f]*)*|\s)+$/u;
/** Texts of more code points than this are not looked at for being emoji alone. */
const MAX_EMOJI_LENGTH = 48;

/**
 * The text as nodes.
 * @param {string} text
 * @param {(text: string) => Node | string} [plain] what becomes of a piece with nothing special in it
 * @returns {DocumentFragment}
 */
export function marked(text, plain = (piece) => piece) {
  const emphasized = (piece) => split(piece, EMPHASIS, (match) => element("em", plain(match[1])), plain);
  const linked = (piece) => split(piece, ADDRESS, ([address]) => linkElement(withoutPunctuation(address)), emphasized);
  const line = (piece) => split(piece, CODE, (match) => element("code", match[1]), linked);
  return split(text, BLOCK, (match) => match[1].trim() && blockElement(match[1]), line);
}

/** Whether there is nothing in a text but a few emoji. */
export function isEmojiAlone(text) {
  return text.length <= MAX_EMOJI_LENGTH && EMOJI.test(text.trim());
}

/** The pieces of a text: of what matches an element, unless `make` makes none of it, and what `rest` makes of the others. */
function split(text, pattern, make, rest) {
  const pieces = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const made = make(match);
    if (!made) continue;
    if (match.index > end) pieces.append(rest(text.slice(end, match.index)));
    pieces.append(made);
    // Of an address, what ends the sentence is left for the rest.
    end = match.index + (made.localName === "a" ? made.textContent : match[0]).length;
  }
  if (end < text.length) pieces.append(rest(text.slice(end)));
  return pieces;
}

/** Without what ends the sentence and not the address; a bracket that was opened in it stays. */
function withoutPunctuation(address) {
  const unopened = {};
  for (const [closing, opening] of Object.entries(BRACKETS)) {
    unopened[closing] = address.split(closing).length - address.split(opening).length;
  }
  let end = address.length;
  while (end > 0) {
    const last = address[end - 1];
    if (unopened[last] > 0) unopened[last] -= 1;
    else if (!PUNCTUATION.includes(last)) break;
    end -= 1;
  }
  return address.slice(0, end);
}

/** Nothing, where it is no address after all. `URL.canParse` is not known to all browsers of three years ago. */
function linkElement(address) {
  const link = element("a", address);
  try {
    link.href = new URL(address).href;
  } catch {
    return undefined;
  }
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return link;
}

/** A long line of it is scrolled to, by the keyboard as well. */
function blockElement(code) {
  const block = element("pre", element("code", code));
  block.tabIndex = 0;
  return block;
}

function element(tag, content) {
  const made = document.createElement(tag);
  made.append(content);
  return made;
}
