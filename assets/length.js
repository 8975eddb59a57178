// How long a text may still become. The server counts bytes, people count characters: so they are told of those, which is
// exact where each is one byte, and else as if more of the same kind followed.

const ENCODER = new TextEncoder();
/** Somebody wants to know from this part of the limit on. */
const NEAR = 0.8;
/** The characters of more than that are not worth the time to be told apart. */
const COUNTED_EXACTLY = 20_000;

/** @returns {{characters: number, isOver: boolean, isExact: boolean} | null} null while there is room enough */
export function lengthLeft(text, limit_bytes) {
  // No UTF-16 unit is more than three bytes.
  if (text.length * 3 < limit_bytes * NEAR) return null;
  const bytes = byteLength(text);
  if (bytes < limit_bytes * NEAR) return null;
  if (bytes > limit_bytes) return { characters: charactersBehind(text, limit_bytes), isOver: true, isExact: true };
  const isExact = bytes === text.length;
  const each_bytes = isExact ? 1 : bytes / countCharacters(text);
  return { characters: Math.floor((limit_bytes - bytes) / each_bytes), isOver: false, isExact };
}

export function byteLength(text) {
  return ENCODER.encode(text).length;
}

/** How many characters have to go from the end. */
function charactersBehind(text, limit_bytes) {
  const { read } = ENCODER.encodeInto(text, new Uint8Array(limit_bytes));
  return countCharacters(text.slice(read));
}

/** Characters as people see them, where the browser knows. */
function countCharacters(text) {
  if (!Intl.Segmenter || text.length > COUNTED_EXACTLY) return [...text].length;
  return [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)].length;
}
