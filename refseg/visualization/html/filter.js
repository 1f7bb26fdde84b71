{
  const data = JSON.parse(document.getElementById("filter-data").textContent);
  const element = (name) => document.getElementById(`filter-${name}`);
  const form = document.getElementById("filter");
  const cards = [...document.querySelectorAll("[data-row]")];
  const groups = [...document.querySelectorAll(".cases")];
  const ROWS = 20;
  // Sections in which nothing may be left say so.
  const sections = [...new Set(cards.map((card) => card.closest("section")))].map((section) => {
    const message = document.createElement("p");
    message.className = "empty";
    message.textContent = "None of these matches the filter.";
    section.append(message);
    return [section, message];
  });
  const number = new Intl.NumberFormat("en");

  // Words as a reader means them: without punctuation and capitals, each after a space.
  const plain = (text) => {
    const words = text.normalize("NFKC").toLowerCase().match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? [];
    return ` ${words.join(" ")} `;
  };
  const texts = data.expressions.map(plain);
  const WITHOUT_SPACES = /[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/u;

  function matching() {
    const typed = element("words").value;
    const terms = plain(typed).split(" ").filter(Boolean)
      .map((term) => (WITHOUT_SPACES.test(term) ? term : ` ${term}`));
    const nothing = typed.trim() !== "" && terms.length === 0;
    const chosen = (name) => {
      const value = element(name)?.value ?? "";
      return value === "" ? null : Number(value);
    };
    const category = chosen("category");
    const split = chosen("split");
    const rows = [];
    texts.forEach((text, row) => {
      if (!nothing && terms.every((term) => text.includes(term))
          && (category === null || data.category[row] === category)
          && (split === null || data.split[row] === split)) rows.push(row);
    });
    return rows;
  }

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const iou = (seed, row) => (seed.unions[row] ? seed.intersections[row] / seed.unions[row] : 1);
  const percent = (value) => (100 * value).toFixed(2);

  function figures(model, rows) {
    if (!rows.length) return ["–", "–", "–"];
    const over = (figure) => percent(mean(model.seeds.map(figure)));
    return [
      over((seed) => {
        const sum = (counts) => rows.reduce((total, row) => total + counts[row], 0);
        const union = sum(seed.unions);
        return union ? sum(seed.intersections) / union : 1;
      }),
      over((seed) => mean(rows.map((row) => iou(seed, row)))),
      over((seed) => mean(rows.map((row) => Number(iou(seed, row) >= 0.5)))),
    ];
  }

  // A long name may end its line behind an underscore.
  const breakable = (text) => text.split(/(?<=_)(?=[^_])/u)
    .flatMap((part, place) => (place ? [document.createElement("wbr"), part] : [part]));

  function fill(table, heads, rows) {
    const line = (kind, cells, scope) => {
      const row = document.createElement("tr");
      cells.forEach((text, place) => {
        const cell = document.createElement(place === 0 || kind === "th" ? "th" : "td");
        if (cell.tagName === "TH") cell.scope = kind === "th" ? "col" : scope;
        cell.dir = "auto";
        cell.replaceChildren(...breakable(text));
        row.append(cell);
      });
      return row;
    };
    const head = document.createElement("thead");
    const body = document.createElement("tbody");
    head.append(line("th", heads));
    rows.forEach((cells) => body.append(line("td", cells, "row")));
    table.replaceChildren(head, body);
  }

  const every = texts.map((_, row) => row);
  const title = (model, what) => (model.name ? `${model.name}, ${what}` : what);
  const ofAll = data.models.map((model) => figures(model, every));

  function update() {
    const rows = matching();
    const isAll = rows.length === texts.length;
    const kept = new Set(rows);
    cards.forEach((card) => { card.hidden = !kept.has(Number(card.dataset.row)); });
    groups.forEach((group) => { group.hidden = !group.querySelector(".card:not([hidden])"); });
    sections.forEach(([section, message]) => {
      message.hidden = section.querySelector("[data-row]:not([hidden])") !== null;
    });
    const shown = cards.filter((card) => card.matches(".card") && !card.hidden).length;
    const pictures = cards.filter((card) => card.matches(".card")).length;
    element("count").textContent = isAll
      ? `All ${number.format(texts.length)} expressions; ${pictures} of them are pictured below.`
      : `${number.format(rows.length)} of ${number.format(texts.length)} expressions match; `
        + `${shown} of ${pictures} pictures below show one of them.`;
    element("empty").hidden = rows.length > 0;
    const lines = [];
    data.models.forEach((model, place) => {
      if (!isAll) {
        lines.push([title(model, "matching"), number.format(rows.length),
          ...figures(model, rows)]);
      }
      lines.push([title(model, "all"), number.format(texts.length), ...ofAll[place]]);
    });
    fill(element("figures"), ["in %", "expressions", "overall IoU", "mean IoU", "P@0.5"], lines);
    const score = (model, row) => mean(model.seeds.map((seed) => iou(seed, row)));
    const listed = isAll ? [] : rows
      .map((row) => [row, score(data.models[0], row)])
      .sort((one, other) => one[1] - other[1]).slice(0, ROWS);
    element("listed").hidden = listed.length === 0;
    fill(element("rows"), ["expression", "category", "split",
      ...data.models.map((model) => (model.name ? `IoU of ${model.name}` : "IoU"))],
      listed.map(([row]) => [data.expressions[row], data.categories[data.category[row]],
        data.splits[data.split[row]], ...data.models.map((model) => percent(score(model, row)))]));
  }

  form.hidden = false;
  element("help").hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
  update();
}
