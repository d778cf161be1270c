// What the page carries is packed: gzip, then base64.
const unpack = async (name) => {
  const letters = atob(document.getElementById(`packed-${name}`).textContent);
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const load = async (name) => import(URL.createObjectURL(new Blob([await unpack(name)], { type: "text/javascript" })));
const chart = (place, spec) => vegaEmbed(place, spec, { mode: "vega-lite", actions: false, renderer: "svg", tooltip: { disableDefaultStyle: true } });

// Rows without a number stay last, whichever way the others go.
const { default: DataTable } = await load("datatables");
const lasting = (direction) => (a, b) => Number.isNaN(a) - Number.isNaN(b) || (Number.isNaN(a) ? 0 : direction * (a - b));
DataTable.ext.type.order["number-asc"] = lasting(1);
DataTable.ext.type.order["number-desc"] = lasting(-1);
DataTable.ext.type.order["number-pre"] = (value) => Number.parseFloat(value);
const tabulate = (id, label, names, buttons) => new DataTable(`#${id}`, {
  paging: false, info: false, order: [], autoWidth: false,
  columnDefs: [{ type: "string", targets: names }, { type: "number", targets: "_all" }],
  layout: { topStart: "search", topEnd: buttons ? { buttons } : null, bottomStart: null, bottomEnd: null },
  language: { search: "Find", buttons: { colvis: "Columns" } },
  initComplete() {
    const area = this.api().table().container().querySelector(".dt-layout-table");
    Object.entries({ tabindex: "0", role: "region", "aria-label": label }).forEach((entry) => area.setAttribute(...entry));
  },
});
tabulate("board", "Models and scores", [1, 3, 4], ["colvis", { extend: "copyHtml5", text: "Copy" }, { extend: "csvHtml5", text: "CSV" }]);
if (document.getElementById("published-table")) tabulate("published-table", "What others published", [0, 1, 3, 4, 5, 6, 7, 8]);

await load("vega");
const charts = JSON.parse(await unpack("charts"));
for (const place of document.querySelectorAll("[data-chart]")) await chart(place, charts.figures[place.dataset.chart]);
