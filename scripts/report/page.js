"use strict";

/* Sorts and filters a table of lesions. Without it the table is complete and in its first order. */
function liven(box) {
  const form = box.querySelector("form");
  const body = box.querySelector("tbody");
  const rows = [...body.rows];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const headings = [...box.querySelectorAll("th[data-column]")];
  const order = new Intl.Collator("en", { numeric: true });
  // The first cell of a row is its picture.
  const cell = (row, column) => row.cells[Number(column) + 1];

  function filter() {
    const wanted = form.querySelector("input").value.toLowerCase().split(/\s+/);
    const chosen = [...form.querySelectorAll("select")].filter((select) => select.value);
    let shown = 0;
    rows.forEach((row, place) => {
      const fits =
        wanted.every((word) => words[place].includes(word)) &&
        chosen.every((select) => "=" + cell(row, select.dataset.column).textContent === select.value);
      row.hidden = !fits;
      shown += fits;
    });
    const [some, all] = [shown, rows.length].map((number) => number.toLocaleString("en"));
    form.querySelector("output").value = `${some} of ${all} lesions`;
  }

  function sort(heading) {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const key = heading.classList.contains("number")
      ? (row) => cell(row, heading.dataset.column).dataset.value ?? ""
      : (row) => cell(row, heading.dataset.column).textContent;
    const compare = heading.classList.contains("number") ? (a, b) => a - b : order.compare;
    const keyed = rows.map((row) => [key(row), row]);
    keyed.sort(([a], [b]) => (a === "") - (b === "") || (down ? compare(b, a) : compare(a, b)));
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...keyed.map(([, row]) => row));
  }

  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(heading));
    heading.append(button);
  }
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.reset();
  form.hidden = false;
}

document.querySelectorAll(".lesions").forEach(liven);
if (!matchMedia("(min-width: 1150px)").matches) {
  document.querySelector("nav details").open = false;
}
