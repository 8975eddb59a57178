// On a phone the header has room for few buttons: what the others do is in one menu.

/**
 * @param {HTMLButtonElement} opener
 * @param {import("./menu.js").Menu} menu
 */
export function setUpMore(opener, menu) {
  opener.addEventListener("click", () => {
    const buttons = [...document.querySelectorAll("[data-more]")].filter(({ hidden }) => !hidden);
    // What leads out of the room is last.
    buttons.sort((one, other) => (one.id === "leave") - (other.id === "leave"));
    const items = buttons.map((button) => {
      const run = () => {
        menu.close();
        button.click();
      };
      return { words: button.textContent.trim(), icon: button.dataset.more, run };
    });
    menu.open(opener, opener.textContent.trim(), items);
  });
}
