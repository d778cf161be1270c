// A click on a head sorts by its column; a second click turns the order around. Rows without a number stay last.
const body = document.querySelector("tbody");
const heads = [...document.querySelectorAll("thead th")];
const valueOf = (row, column) => {
  const cell = row.cells[column];
  const number = Number.parseFloat(cell.dataset.value ?? cell.textContent);
  return Number.isNaN(number) ? null : number;
};
const compare = (first, second, column) => {
  const [a, b] = [valueOf(first, column), valueOf(second, column)];
  return a === null && b === null ? first.cells[column].textContent.localeCompare(second.cells[column].textContent) : a - b;
};
heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
  const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const isName = head.classList.contains("name");
  const lacks = (row) => !isName && valueOf(row, column) === null;
  const order = (first, second) => lacks(first) - lacks(second) || direction * compare(first, second, column);
  body.append(...[...body.rows].sort(order));
}));
