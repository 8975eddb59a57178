// How many messages came while the page was out of sight, in its title.

const title = document.title;
let unread = 0;

/** Counts a message if nobody can see it. */
export function countUnread() {
  if (document.hidden) show(unread + 1);
}

function show(count) {
  unread = count;
  document.title = count > 0 ? `(${count}) ${title}` : title;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show(0);
});
