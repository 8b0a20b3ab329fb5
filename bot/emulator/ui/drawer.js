// The drawer: every delivery and every call, one in full on request, and the faults to come.

import { el, fill, post } from "/ui/dom.js";

const $ = (id) => document.getElementById(id);
const TARGETS = {
  call: ["chat.update", "chat.postMessage", "chat.postEphemeral", "views.open", "views.update", "views.publish", "users.info", "usergroups.users.list", "*"],
  delivery: ["block_actions", "view_submission", "slash_commands", "events_api", "*"],
};
const LABELS = {
  rate_limited: "429 with Retry-After", server_error: "500", unavailable: "503 with an HTML page",
  drop_before: "connection drops before it counts", drop_after: "connection drops after it counted",
  refused: "ok: false", slow: "five seconds late", duplicate: "delivered twice", lost: "never delivered",
  wrong_signature: "wrong signature", old_timestamp: "hour-old timestamp", future_timestamp: "future timestamp",
  non_numeric_timestamp: "timestamp is not a number", missing_timestamp: "no timestamp", missing_signature: "no signature",
  foreign_team: "from another workspace", foreign_app: "for another app", foreign_user: "from an unknown user", stale_click: "click on the older card",
};
let filter = "all";
let shown = null;
let kinds = null;

export function setUpDrawer(redraw) {
  const toggle = (open) => {
    $("drawer").hidden = !open;
    $("frame").classList.toggle("with-drawer", open);
    $("drawer-toggle").setAttribute("aria-expanded", String(open));
  };
  $("drawer-toggle").addEventListener("click", () => toggle($("drawer").hidden));
  $("drawer-close").addEventListener("click", () => toggle(false));
  for (const [name, label] of [["all", "All"], ["delivery", "To the app"], ["call", "Web API"], ["bad", "Trouble"]])
    $("filters").append(el("button", { type: "button", class: "chip", data: { filter: name }, on: { click: () => { filter = name; redraw(); } } }, label));
  $("fault-kind").addEventListener("change", targets);
  $("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    post("fault", { kind: $("fault-kind").value, on: $("fault-on").value, delay_s: $("fault-kind").value === "slow" ? 5 : 0 });
  });
}

function targets() {
  const kind = kinds.find((one) => one.kind === $("fault-kind").value);
  const names = kind.kind === "stale_click" ? ["block_actions"] : TARGETS[kind.on];
  fill($("fault-on"), names.map((name) => el("option", { value: name }, name === "*" ? "anything" : `next ${name}`)));
}

function row(one) {
  const time = new Date(one.at).toLocaleTimeString("en-GB");
  const status = one.status ?? "—";
  return el("li", {}, el("button", { type: "button", class: `row ${one.is_bad ? "is-bad" : ""} ${shown === one.number ? "is-open" : ""}`, data: { number: one.number }, on: { click: () => open(one) } },
    el("span", { class: `way ${one.side}`, title: one.side === "call" ? "the app called the Web API" : "delivered to the app" }, one.side === "call" ? "API" : "to app"),
    el("span", { class: "row-name" }, one.name, one.fault && el("em", { class: "fault-mark" }, one.fault.replaceAll("_", " "))),
    el("span", { class: "row-outcome" }, `${status} ${one.outcome}`),
    el("span", { class: "row-ms" }, `${one.elapsed_ms < 10 ? one.elapsed_ms.toFixed(1) : Math.round(one.elapsed_ms)} ms`),
    el("span", { class: "row-at" }, time)));
}

async function open(one) {
  const box = $("detail");
  if (shown === one.number) { shown = null; box.hidden = true; return; }
  shown = one.number;
  const full = await (await fetch(`/ui/detail/${one.number}`)).json();
  const json = (value) => el("pre", { class: "json" }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
  fill(box,
    el("header", {}, el("h3", {}, full.title), el("button", { type: "button", class: "ghost", on: { click: () => { shown = null; box.hidden = true; } } }, "Close")),
    el("h4", {}, one.side === "call" ? "The app sent" : "Delivered to the app"), json(full.sent),
    el("h4", {}, one.side === "call" ? "Slack answered" : "The app answered"), json(full.answered || "(empty)"));
  box.hidden = false;
}

export function drawDrawer(state) {
  if (!kinds) {
    kinds = state.fault_kinds;
    const group = (on, label) => el("optgroup", { label }, kinds.filter((k) => k.on === on).map((k) => el("option", { value: k.kind }, LABELS[k.kind] ?? k.kind)));
    fill($("fault-kind"), group("call", "Web API"), group("delivery", "Deliveries"));
    targets();
  }
  for (const chip of $("filters").children) chip.setAttribute("aria-pressed", String(chip.dataset.filter === filter));
  const rows = state.drawer.rows.filter((one) => filter === "all" || one.side === filter || (filter === "bad" && one.is_bad));
  fill($("rows"), rows.length ? rows.map(row) : el("li", { class: "empty" }, "Nothing yet"));
  const bad = state.drawer.rows.filter((one) => one.is_bad).length;
  $("trouble").hidden = !bad;
  $("trouble").textContent = String(bad);
  $("trouble").title = `${bad} went wrong`;
  const faults = state.drawer.faults.map((f) => el("li", {}, el("strong", {}, LABELS[f.kind] ?? f.kind), ` · next ${f.on === "*" ? "anything" : f.on}${f.times > 1 ? ` ×${f.times}` : ""}`));
  fill($("fault-list"), faults, faults.length > 0 && el("li", {}, el("button", { type: "button", class: "link", on: { click: () => post("fault", { clear: true }) } }, "Cancel all")));
}
