
// The dialogue explorer. All text goes in as text, never as markup.
const told = JSON.parse(await unpack("dialogues"));
const at = (id) => document.getElementById(id);
const make = (tag, text = "", attributes = {}) => {
  const element = document.createElement(tag);
  element.textContent = text;
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  return element;
};
const toneOf = (label) => told.colours[told.labels.indexOf(label)] ?? "var(--muted)";
const chosenModels = () => [...at("models").querySelectorAll("input:checked")].map((box) => box.value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isWrong = (turn, answer) => told.labels.length > 0 && turn.gold && answer && !same(answer.said, turn.gold.said);

at("models").append(...told.models.map((model, place) => {
  const box = make("input", "", { type: "checkbox", value: model });
  box.checked = place < 3;
  const label = make("label", "", { dir: "auto" });
  label.append(box, ` ${model}`);
  return label;
}));

const labelled = (said, mark) => {
  const tag = make("span", "", { class: "said" });
  if (!told.labels.length) tag.append(`${said}`);
  for (const label of told.labels.length ? said : []) {
    const tone = make("span", "", { class: "tone", "aria-hidden": "true" });
    tone.style.setProperty("--tone", toneOf(label));
    tag.append(tone, make("bdi", label));
  }
  if (told.labels.length && !said.length) tag.append("none");
  if (mark) tag.append(make("span", mark, { class: "mark", role: "img", "aria-label": mark === "✓" ? "right" : "wrong" }));
  return tag;
};

const player = (turn) => {
  const kind = turn.video ? "video" : "audio";
  if (!turn[kind]) return make("span", "–", { role: "img", "aria-label": "no file beside this page" });
  const button = make("button", `▶ ${kind}`, { type: "button", "aria-label": `play turn ${turn.turn}` });
  button.addEventListener("click", () => {
    const media = make(kind, "", { controls: "", autoplay: "", src: turn[kind], "aria-label": `turn ${turn.turn}` });
    media.addEventListener("error", () => media.replaceWith(make("span", "file not found", { class: "gone", role: "status" })));
    button.replaceWith(media);
    media.focus();
  });
  return button;
};

const answerCell = (turn, answer) => {
  const cell = make("td");
  if (!answer) return cell;
  const wrong = isWrong(turn, answer);
  cell.className = wrong ? "wrong" : "";
  cell.append(labelled(answer.said, told.labels.length && turn.gold ? (wrong ? "✗" : "✓") : ""));
  if (answer.p) cell.append(make("span", ` ${Math.round(Math.max(...answer.p) / 10)} %`, { class: "sure" }));
  return cell;
};

const showTurns = (dialogue, models) => {
  const has = (...names) => dialogue.turns.some((turn) => names.some((name) => turn[name] !== undefined));
  const [spoken, written, filmed] = [has("speaker"), has("text"), has("audio", "video")];
  const heads = ["turn", ...(spoken ? ["speaker"] : []), ...(written ? ["text"] : []), "gold", ...models, ...(filmed ? ["media"] : [])];
  const row = make("tr");
  row.append(...heads.map((head) => make("th", head, { scope: "col", dir: "auto" })));
  at("turns").tHead.replaceChildren(row);
  at("turns").tBodies[0].replaceChildren(...dialogue.turns.map((turn, place) => {
    const line = make("tr");
    const gold = make("td");
    if (turn.gold) gold.append(labelled(turn.gold.said, ""));
    const media = make("td");
    media.append(player(turn));
    line.append(make("th", turn.turn, { scope: "row" }));
    if (spoken) line.append(make("td", turn.speaker ?? "", { dir: "auto", class: "speaker" }));
    if (written) line.append(make("td", turn.text ?? "", { dir: "auto", class: "text" }));
    line.append(gold, ...models.map((model) => answerCell(turn, dialogue.answers[model][place])));
    if (filmed) line.append(media);
    return line;
  }));
};

// A row of the chart for each label of an answer, or one for a value; an answer without probabilities is all of its labels.
const charted = (model, turn, answer) => {
  if (!answer) return [];
  if (!told.labels.length) return [{ model, turn, value: answer.said }];
  const shares = answer.p ?? told.labels.map((label) => (answer.said.includes(label) ? 1000 : 0));
  return told.labels.map((label, column) => ({ model, turn, label, share: shares[column] / 1000 }));
};
const answersOf = (dialogue, models) => dialogue.turns.flatMap((turn, place) => [
  ...charted("gold", turn.turn, turn.gold), ...models.flatMap((model) => charted(model, turn.turn, dialogue.answers[model][place])),
]);

const fitted = (spec, place, beside) => spec.spec
  ? { ...spec, spec: { ...spec.spec, width: Math.max(240, Math.min(760, place.clientWidth - beside)) } } : spec;

const showCharts = async (dialogue, models) => {
  const answers = fitted(charts.answers, at("answers"), 190);
  if (answers.facet) answers.facet.row.sort = ["gold", ...models];
  await chart(at("answers"), { ...answers, data: { values: answersOf(dialogue, models) } });
  const { points = [], starts = [], unit } = dialogue.tracks;
  at("tracks-figure").hidden = points.length === 0;
  if (!points.length) return;
  const kinds = [...new Set(points.map((point) => point.kind))];
  const begun = kinds.flatMap((kind) => starts.map((start, place) => ({ kind, start, turn: dialogue.turns[place].turn })));
  const tracks = fitted(charts.tracks, at("tracks"), 130);
  tracks.spec.layer[2].encoding.x.title = unit === "s" ? "seconds" : "turns";
  await chart(at("tracks"), { ...tracks, data: { values: [...points, ...begun] } });
};

const matches = (dialogue, words, which, models) => {
  const text = [dialogue.name, ...dialogue.turns.flatMap((turn) => [turn.speaker ?? "", turn.text ?? ""])].join("\n").toLowerCase();
  if (!words.every((word) => text.includes(word))) return false;
  const answers = dialogue.turns.map((turn, place) => [turn, models.map((model) => dialogue.answers[model][place])]);
  if (which === "differ") return answers.some(([, said]) => new Set(said.map((answer) => JSON.stringify(answer?.said))).size > 1);
  if (which === "wrong") return answers.some(([turn, said]) => said.some((answer) => isWrong(turn, answer)));
  return true;
};

const show = async () => {
  const models = chosenModels();
  const dialogue = told.dialogues[at("dialogue").value];
  at("previous").disabled = at("dialogue").selectedIndex <= 0;
  at("next").disabled = at("dialogue").selectedIndex >= at("dialogue").options.length - 1;
  if (!dialogue) return;
  showTurns(dialogue, models);
  await showCharts(dialogue, models);
};

const list = async () => {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [before, models] = [at("dialogue").value, chosenModels()];
  const found = [...told.dialogues.entries()].filter(([, dialogue]) => matches(dialogue, words, at("which").value, models));
  at("dialogue").replaceChildren(...found.map(([place, dialogue]) =>
    make("option", `${dialogue.name} (${dialogue.turns.length} turn${dialogue.turns.length > 1 ? "s" : ""})`, { value: place })));
  if (found.some(([place]) => `${place}` === before)) at("dialogue").value = before;
  at("explorer-said").textContent = `${found.length} of ${told.dialogues.length} dialogues`;
  await show();
};

const step = (by) => () => {
  at("dialogue").selectedIndex += by;
  return show();
};
at("explorer-tools").addEventListener("submit", (event) => event.preventDefault());
at("find").addEventListener("input", list);
["which", "models"].forEach((id) => at(id).addEventListener("change", list));
at("dialogue").addEventListener("change", show);
at("previous").addEventListener("click", step(-1));
at("next").addEventListener("click", step(1));
await list();
document.documentElement.dataset.ready = "";
