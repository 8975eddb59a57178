// The colour of a name: that of the member, whatever he is called. Whoever has said nothing yet has none.

/** Tones in the style sheet. */
const TONES = 10;

/** The numbers of those of whom events have told, by their names now. */
const authors = new Map();

/** Events that tell by their author's number who is called so; others are about somebody else. */
const TELLING = ["message", "file", "enter", "nick"];

/** Returns the name of which an event has told whose it is, if that was not known. */
export function learnName({ author, name, type, to }) {
  const named = type === "nick" ? to : name;
  if (author === undefined || !TELLING.includes(type) || authors.get(named) === author) return undefined;
  authors.set(named, author);
  return named;
}

/** The class of a name's tone; empty while nothing is known of it. */
export function toneOf(name, author = authors.get(name)) {
  return author === undefined ? "" : `tone-${author % TONES}`;
}
