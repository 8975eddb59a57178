// The texts about writing, its commands and emoji.

const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;

export const words = {
  composing: {
    left: (characters, isExact) => (isExact ? `${characters} left` : `about ${characters} left`),
    over: (characters) => `Too long by ${many(characters, "character", "characters")}`,
    pace: (seconds) => `Goes out in ${seconds} s`,
    wait: (seconds) => `You are too quick. It goes out in ${many(seconds, "second", "seconds")}.`,
    suggestions: (count) => many(count, "suggestion", "suggestions"),
    onlyYou: "Only you see this",
    here: (count) => `${count} here: `,
    othersHere: (count) => ` and ${many(count, "other", "others")}`,
    copied: "Copied",
    notCopied: "This browser does not let the page copy.",
    copyText: "Copy text",
    copyLink: "Copy link to it",
    notFound: "That message is not there any more.",
    between: "Fetching what was said in between…",
  },

  commands: {
    /** What stands in the place of what is to be written. */
    takes: {
      TEXT: "TEXT",
      NAME: "NAME",
      WORDS: "WORDS",
      COMMAND: "COMMAND",
      WHY: "WHY",
      TIME: "TIME",
      WORD: "WORD",
    },
    does: {
      me: "say it in the third person",
      nick: "take another name",
      who: "list who is here",
      search: "find what was said",
      register: "claim the name you have",
      login: "show that a name is yours",
      password: "change the password",
      unregister: "give up the name you have claimed",
      leave: "leave the room",
      help: "list the commands, or tell what one does",
      op: "make a member an operator",
      deop: "make an operator a member like the others",
      kick: "throw a member out",
      ban: "keep somebody out, for a day or 10m, 2h, 30d",
      unban: "let somebody in again who is kept out",
      bans: "list who is kept out",
      mute: "let a member say nothing, for good or 10m, 2h, 30d",
      unmute: "let a member speak again",
      lock: "let nobody new in",
      unlock: "let everybody in again",
      key: "ask newcomers for this key, or for none",
      topic: "say what the room is about, or nothing",
      slow: "let each say one thing in 10s, 1m, or as often as they like",
    },
  },

  emoji: {
    open: "Emoji",
    search: "Search emoji",
    none: "None is called that.",
    groups: {
      recent: "Used lately",
      faces: "Faces",
      people: "Hands and people",
      hearts: "Hearts and signs",
      nature: "Animals and nature",
      food: "Food and drink",
      doing: "Doing and going",
      things: "Things",
    },
  },
};
