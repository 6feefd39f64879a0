// The console's sheet of acts, and the title's count.
"use strict";

(() => {
  const sheet = document.getElementById("sheet");

  document.body.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "sheet-body" && !sheet.open) sheet.showModal();
    const head = document.querySelector("[data-title]");
    if (head) document.title = head.dataset.title;
  });
  if (sheet) {
    sheet.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });
    sheet.addEventListener("close", () => { document.getElementById("sheet-body").replaceChildren(); });
  }
})();
