"use strict";
// The index of runs: filters, the rows that they leave, and a trend of each fact. It asks nothing of the network.
(() => {
  const at = id => document.getElementById(id);
  const read = id => JSON.parse(at(id).textContent);
  const { runs, texts, limits, facts } = read("data"), words = read("words");
  const RUN = 0, PLAN = 1, ENVIRONMENT = 2, TARGET = 3, DIGEST = 4, REASON = 5, BEGAN = 6, DECISION = 7, EXIT = 8, SEEN = 9, LIMITS = 10;
  const STEP = 100, CHARTS = 12, TURNS = 12, CHANGED = 6, INTERRUPTED = 130;
  const decisions = [...at("decision").options].slice(1).map(each => [each.dataset.sign, each.text]);
  const good = run => run[EXIT] === 0, bad = run => ![null, 0, INTERRUPTED].includes(run[EXIT]);
  const when = run => run[BEGAN].replace("T", " ");
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const draw = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const amount = (value, unit) => {
    if (unit === "ratio") return `${+(value * 100).toPrecision(4)} %`;
    const number = String(value);
    if (unit in words.units) return filled(words.units[unit], { number });
    return unit === "" ? number : unit === "$" ? `$${number}` : unit === "1/s" ? `${number}/s` : `${number} ${unit}`;
  };
  const href = run => `./${run[RUN].split("/").map(encodeURIComponent).join("/")}/report.html`;

  const table = (heads, numbers, rows) => make("div", { class: "wide" }, make("table", { class: "cards" },
    make("thead", {}, make("tr", {}, ...heads.map((head, column) => make("th", { scope: "col", ...(numbers.includes(column) ? { class: "num" } : {}) }, head)))),
    make("tbody", {}, ...rows)));
  const row = run => {
    const [sign, word] = decisions[run[DECISION]], [, named, target, began, reason] = words.runs, digest = texts[run[DIGEST]];
    const css = good(run) ? (texts[run[ENVIRONMENT]] === "sim" ? "v-inconclusive" : "v-pass") : bad(run) ? "v-fail" : "v-not_exercised";
    return make("tr", {},
      make("td", { class: `verdict full ${css}` }, make("i", { "aria-hidden": "true" }, sign), word),
      make("td", { class: "full", "data-label": named }, make("a", { href: href(run) }, texts[run[PLAN]]), make("small", {}, texts[run[ENVIRONMENT]])),
      make("td", { class: "full", "data-label": target }, texts[run[TARGET]], ...(digest ? [make("small", {}, make("code", {}, digest))] : [])),
      make("td", { "data-label": began }, when(run)),
      make("td", { class: "full", "data-label": reason }, texts[run[REASON]]));
  };

  let shown = STEP, whole = false, kept = runs;
  const rows = () => {
    at("rows").replaceChildren(table(words.runs, [], kept.slice(0, shown).map(row)));
    at("more").hidden = kept.length <= shown;
  };

  const group = run => [run[PLAN], run[ENVIRONMENT], run[TARGET]].join();
  const chart = ([name, unit], points, limit) => {
    const values = points.map(([, value]) => value), ends = limit === null ? values : [...values, limit];
    const least = Math.min(...ends), most = Math.max(...ends);
    const x = number => points.length > 1 ? (300 * number / (points.length - 1)).toFixed(1) : "150";
    const y = value => (most === least ? 30 : 58 - 56 * (value - least) / (most - least)).toFixed(1);
    const said = filled(words.trend, { last: amount(values.at(-1), unit), count: points.length,
      least: amount(Math.min(...values), unit), most: amount(Math.max(...values), unit) });
    const limited = limit === null ? "" : filled(words.limit, { limit: amount(limit, unit) });
    const svg = draw("svg", { viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img", "aria-label": [name, said, limited].filter(Boolean).join(", ") });
    if (limit !== null) svg.append(draw("path", { class: "limit", d: `M0 ${y(limit)}H300` }));
    svg.append(draw("path", { class: "line", d: points.map(([, value], number) => `${number ? "L" : "M"}${x(number)} ${y(value)}`).join("") }));
    const dots = points.map(([run, value], number) => bad(run) ? `M${x(number)} ${y(value)}h0` : "").join("");
    if (dots) svg.append(draw("path", { class: "bad", d: dots }));
    return make("figure", {}, make("figcaption", {}, make("b", {}, make("code", {}, name)), make("small", {}, said), ...(limited ? [make("small", {}, limited)] : [])), svg);
  };
  const charts = () => {
    const of = runs.filter(run => group(run) === at("group").value).reverse();
    const limited = [], others = [];
    if (of.length) facts[texts[of[0][PLAN]]]?.forEach((fact, place) => {
      const points = of.filter(run => typeof run[SEEN][place] === "number").map(run => [run, run[SEEN][place]]);
      if (!points.length) return;
      const limit = limits[points.at(-1)[0][LIMITS]][place] ?? null;
      (limit === null ? others : limited).push([fact, points, limit]);
    });
    const found = [...limited, ...others], first = limited.length ? Math.min(limited.length, CHARTS) : CHARTS;
    at("charts").replaceChildren(...found.slice(0, whole ? found.length : first).map(each => chart(...each)));
    at("facts").hidden = whole || found.length <= first;
  };

  // Of each group the last good run that a bad one follows, with that one and the facts that differ most.
  const turn = of => {
    const known = of.filter(run => good(run) || bad(run)), last = known.findIndex((run, number) => bad(run) && known[number + 1] && good(known[number + 1]));
    return last < 0 ? [] : [{ good: known[last + 1], bad: known[last], mended: known.slice(0, last).reverse().find(good) }];
  };
  const changed = ({ good: { [SEEN]: one }, bad: { [SEEN]: other, [PLAN]: plan, [LIMITS]: held } }) =>
    facts[texts[plan]].map(([name, unit], place) => ({ name, unit, before: one[place], after: other[place], limit: limits[held][place] ?? null }))
      .filter(({ before, after }) => typeof before === "number" && typeof after === "number" && before !== after)
      .map(each => ({ ...each, apart: Math.abs(each.after - each.before) / Math.max(Math.abs(each.after), Math.abs(each.before)) }))
      .sort((a, b) => b.apart - a.apart || (a.limit === null) - (b.limit === null)).slice(0, CHANGED);
  const drawn = (each, number) => {
    const cell = (value, unit, head) => make("td", { class: "num", "data-label": head }, value === null ? "–" : amount(value, unit));
    const [, was, is, limit] = words.facts, differing = facts[texts[each.bad[PLAN]]] ? changed(each) : [];
    const title = [PLAN, ENVIRONMENT, TARGET].map(column => texts[each.bad[column]]).join(" · ");
    const since = each.mended ? filled(words.mended, { when: when(each.mended) }) : filled(words.bad, { when: when(each.bad) });
    return make("details", number ? {} : { open: "" }, make("summary", {}, make("h3", {}, title), " ", make("small", {}, since)),
      table(words.runs, [], [each.good, each.bad].map(row)),
      ...(each.good[DIGEST] === each.bad[DIGEST] ? [] : [make("p", { class: "soft" }, words.another)]),
      ...(differing.length ? [table(words.facts, [1, 2, 3], differing.map(fact => make("tr", {}, make("td", { class: "full" }, make("code", {}, fact.name)),
        cell(fact.before, fact.unit, was), cell(fact.after, fact.unit, is), cell(fact.limit, fact.unit, limit))))] : []));
  };
  const turns = of => {
    const found = [...new Set(of.map(group))].map(name => of.filter(run => group(run) === name)).flatMap(turn);
    found.sort((a, b) => !!a.mended - !!b.mended || (a.bad[BEGAN] < b.bad[BEGAN] ? 1 : -1));
    at("turns").replaceChildren(...found.slice(0, TURNS).map(drawn));
    at("none").hidden = found.length > 0;
  };

  const groups = () => {
    const before = at("group").value, found = new Map(kept.map(run => [group(run), run]));
    at("group").replaceChildren(...[...found].map(([value, run]) =>
      make("option", { value }, [PLAN, ENVIRONMENT, TARGET].map(column => texts[run[column]]).join(" · "))));
    if (found.has(before)) at("group").value = before;
    at("trends").hidden = !found.size;
    charts();
  };
  const filter = () => {
    const [plan, environment, decision] = ["plan", "environment", "decision"].map(id => at(id).value);
    const text = at("text").value.trim().toLowerCase();
    const of = run => (!plan || texts[run[PLAN]] === plan) && (!environment || texts[run[ENVIRONMENT]] === environment);
    kept = runs.filter(run => of(run) && (!decision || run[DECISION] === +decision)
      && (!text || [run[RUN], run[BEGAN], texts[run[TARGET]], texts[run[DIGEST]], texts[run[REASON]]].some(each => each.toLowerCase().includes(text))));
    shown = STEP;
    at("count").textContent = filled(words.count, { shown: kept.length, count: runs.length });
    turns(runs.filter(of));
    rows();
    groups();
  };

  for (const [id, column] of [["plan", PLAN], ["environment", ENVIRONMENT]])
    at(id).append(...[...new Set(runs.map(run => texts[run[column]]))].sort().map(value => make("option", { value }, value)));
  for (const id of ["filters", "turned", "runs"]) at(id).hidden = false;
  at("filters").addEventListener("input", filter);
  for (const form of document.forms) form.addEventListener("submit", event => event.preventDefault());
  at("group").addEventListener("change", () => { whole = false; charts(); });
  at("facts").addEventListener("click", () => { whole = true; charts(); });
  at("more").addEventListener("click", () => { shown += STEP; rows(); });
  filter();
})();
