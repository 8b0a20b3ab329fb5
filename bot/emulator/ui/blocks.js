// Block Kit as elements. `ctx.act(element, block, value)` is called when a person acts.

import { el, fill } from "/ui/dom.js";
import { richText, userMention, words } from "/ui/text.js";

const plain = (object) => object?.text ?? "";

export function askFirst(confirm, ctx) {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    const close = (answer) => { dialog.close(); resolve(answer); };
    dialog.oncancel = (event) => { event.preventDefault(); close(false); };
    fill(dialog,
      el("h2", { id: "confirm-title" }, plain(confirm.title)),
      el("div", { class: "confirm-text" }, words(confirm.text, ctx)),
      el("footer", {},
        el("button", { type: "button", class: "btn", on: { click: () => close(false) } }, plain(confirm.deny)),
        el("button", { type: "button", class: `btn ${confirm.style === "danger" ? "danger" : "primary"}`, "data-confirm": "yes", on: { click: () => close(true) } }, plain(confirm.confirm))));
    dialog.showModal();
  });
}

async function act(element, block, value, ctx) {
  if (element.confirm && !(await askFirst(element.confirm, ctx))) return false;
  if (element.url) window.open(element.url, "_blank", "noopener");
  await ctx.act(element, block, value);
  return true;
}

const optionsOf = (element) => element.options ?? element.option_groups?.flatMap((g) => g.options) ?? [];
const stateOf = (element, block, ctx) => ctx.values?.[block.block_id]?.[element.action_id];

function button(element, block, ctx) {
  const node = el("button", {
    type: "button", class: `btn ${element.style ?? ""}`, data: { actionId: element.action_id, blockId: block.block_id },
    "aria-label": element.accessibility_label,
  }, words(element.text, ctx));
  node.addEventListener("click", async () => {
    node.classList.add("is-busy");
    node.disabled = true;
    try { await act(element, block, element.value ?? null, ctx); } finally { node.disabled = false; node.classList.remove("is-busy"); }
  });
  return node;
}

function selectOptions(element, chosen) {
  const one = (o) => el("option", { value: o.value, selected: chosen === o.value }, plain(o.text));
  if (element.option_groups)
    return element.option_groups.map((g) => el("optgroup", { label: plain(g.label) }, g.options.map(one)));
  return element.options.map(one);
}

function choiceList(element, ctx) {
  if (element.type === "users_select") return [...ctx.users.values()].filter((u) => !u.is_bot).map((u) => [u.id, u.real_name]);
  return Object.entries(ctx.channelNames);
}

function menu(element, block, ctx) {
  const state = stateOf(element, block, ctx);
  const chosen = state?.selected_option?.value ?? element.initial_option?.value
    ?? state?.selected_user ?? state?.selected_channel ?? state?.selected_conversation ?? "";
  const isStatic = element.type === "static_select";
  return el("select", {
    class: "select", "aria-label": plain(element.placeholder) || "Choose",
    data: { actionId: element.action_id, blockId: block.block_id },
    on: { change: (event) => ctx.changes && act(element, block, event.target.value, ctx) },
  },
  el("option", { value: "", disabled: ctx.changes, selected: !chosen }, plain(element.placeholder) || "Choose an option"),
  isStatic ? selectOptions(element, chosen)
    : choiceList(element, ctx).map(([id, name]) => el("option", { value: id, selected: chosen === id }, name)));
}

function boxes(element, block, ctx) {
  const state = stateOf(element, block, ctx);
  const isMany = element.type !== "radio_buttons";
  const marked = new Set(isMany
    ? (state?.selected_options ?? element.initial_options ?? []).map((o) => o.value)
    : [(state ? state.selected_option : element.initial_option)?.value]);
  const name = `${ctx.scope}-${block.block_id}-${element.action_id}`;
  const group = el("div", { class: "boxes", role: isMany ? "group" : "radiogroup", data: { actionId: element.action_id, blockId: block.block_id } });
  const read = () => {
    const on = [...group.querySelectorAll("input:checked")].map((box) => box.value);
    return isMany ? on : on[0];
  };
  group.append(...optionsOf(element).map((option) => el("label", { class: "box" },
    el("input", { type: isMany ? "checkbox" : "radio", name, value: option.value, checked: marked.has(option.value), on: { change: () => ctx.changes && act(element, block, read(), ctx) } }),
    el("span", {}, words(option.text, ctx), option.description && el("small", {}, words(option.description, ctx))))));
  return group;
}

function overflow(element, block, ctx) {
  const items = el("ul", { class: "overflow-list" }, element.options.map((option) =>
    el("li", {}, el("button", { type: "button", on: { click: () => { box.open = false; act(element, block, option.value, ctx); } } }, words(option.text, ctx)))));
  const box = el("details", { class: "overflow", data: { actionId: element.action_id, blockId: block.block_id } },
    el("summary", { "aria-label": "More actions" }, "•••"), items);
  return box;
}

function image(block) {
  const src = block.slack_file?.id ? `/ui/file/${encodeURIComponent(block.slack_file.id)}` : "";
  if (src) return el("img", { src, alt: block.alt_text, class: "picture" });
  return el("span", { class: "picture-alt", role: "img", "aria-label": block.alt_text }, `🖼 ${block.alt_text}`);
}

function picker(element, block, ctx) {
  const kind = { datepicker: "date", timepicker: "time" }[element.type];
  const value = stateOf(element, block, ctx)?.[`selected_${kind}`] ?? element[`initial_${kind}`] ?? "";
  return el("input", { type: kind, class: "field", value, data: { actionId: element.action_id, blockId: block.block_id }, on: { change: (event) => ctx.changes && act(element, block, event.target.value, ctx) } });
}

function typed(element, block, ctx) {
  const value = stateOf(element, block, ctx)?.value ?? element.initial_value ?? "";
  const data = { actionId: element.action_id, blockId: block.block_id };
  const common = { class: "field", placeholder: plain(element.placeholder), data, id: `${ctx.scope}-${block.block_id}` };
  if (element.multiline) return el("textarea", { ...common, rows: 4 }, value);
  const type = { email_text_input: "email", url_text_input: "url", number_input: "number" }[element.type] ?? "text";
  const node = el("input", { ...common, type });
  node.value = value;
  return node;
}

// An instant in the reader's own zone; the field's value is turned into seconds when it is sent.
function instantPicker(element, block, ctx) {
  const at = stateOf(element, block, ctx)?.selected_date_time ?? element.initial_date_time;
  const local = at ? new Date(at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
  const node = el("input", { type: "datetime-local", class: "field", id: `${ctx.scope}-${block.block_id}`, data: { actionId: element.action_id, blockId: block.block_id } });
  node.value = local;
  return node;
}

// A menu that the app fills: what is typed is sent to it, and what it answers is offered.
function external(element, block, ctx) {
  const chosen = stateOf(element, block, ctx)?.selected_option;
  const label = plain(element.placeholder) || "Choose an option";
  const list = el("select", { class: "select", "aria-label": label, data: { actionId: element.action_id, blockId: block.block_id } },
    el("option", { value: "", selected: !chosen }, label),
    chosen && el("option", { value: chosen.value, selected: true }, plain(chosen.text)));
  let asked = 0;
  const ask = async (typed) => {
    if (!ctx.suggest || typed.length < (element.min_query_length ?? 3)) return;
    const mine = ++asked;
    const told = await ctx.suggest(element, typed);
    if (mine !== asked) return; // somebody typed on meanwhile
    const was = list.value;
    const offered = told.options ?? [];
    fill(list, el("option", { value: "" }, label), offered.map((o) => el("option", { value: o.value }, plain(o.text))));
    if (offered.some((o) => o.value === was)) list.value = was;
  };
  const typed = el("input", { type: "search", class: "find", "aria-label": `Find: ${label}`, placeholder: label,
    on: { focus: (event) => ask(event.target.value), input: (event) => ask(event.target.value) } });
  return el("span", { class: "finder" }, typed, list);
}

export function interactive(element, block, ctx) {
  switch (element.type) {
    case "button": return button(element, block, ctx);
    case "static_select": case "users_select": case "channels_select": case "conversations_select":
      return menu(element, block, ctx);
    case "checkboxes": case "radio_buttons": case "multi_static_select": return boxes(element, block, ctx);
    case "external_select": return external(element, block, ctx);
    case "datetimepicker": return instantPicker(element, block, ctx);
    case "overflow": return overflow(element, block, ctx);
    case "image": return image(element);
    case "datepicker": case "timepicker": return picker(element, block, ctx);
    case "plain_text_input": case "email_text_input": case "url_text_input": case "number_input":
      return typed(element, block, ctx);
    default: return el("span", { class: "unknown" }, `[${element.type}]`);
  }
}

function cell(one, ctx, setting) {
  const body = one.type === "rich_text" ? richText(one, ctx) : [one.text ?? String(one.value ?? "")];
  return [body, setting?.align];
}

function table(block, ctx) {
  const rows = block.rows.map((row, r) => el("tr", {}, row.map((one, c) => {
    const [body, align] = cell(one, ctx, block.column_settings?.[c]);
    return el(r ? "td" : "th", { class: align ? `align-${align}` : "" }, body);
  })));
  return el("div", { class: "table-wrap" }, el("table", {}, el("tbody", {}, rows)));
}

function section(block, ctx) {
  const body = el("div", { class: "section-body" },
    block.text && el("div", { class: "prose" }, words(block.text, ctx)),
    block.fields && el("div", { class: "fields" }, block.fields.map((f) => el("div", { class: "prose" }, words(f, ctx)))));
  return el("div", { class: "section" }, body, block.accessory && el("div", { class: "accessory" }, interactive(block.accessory, block, ctx)));
}

function input(block, ctx) {
  const wrong = ctx.errors?.[block.block_id];
  const id = `${ctx.scope}-${block.block_id}`;
  return el("div", { class: `input ${wrong ? "is-wrong" : ""}` },
    el("label", { class: "label", for: id }, words(block.label, ctx), block.optional && el("small", {}, " (optional)")),
    interactive(block.element, block, ctx),
    wrong && el("p", { class: "wrong", role: "alert" }, wrong),
    block.hint && el("p", { class: "hint" }, words(block.hint, ctx)));
}

function draw(block, ctx) {
  switch (block.type) {
    case "header": return el("h3", {}, words(block.text, ctx));
    case "section": return section(block, ctx);
    case "context": return el("div", { class: "context" }, block.elements.map((one) =>
      one.type === "image" ? image(one) : el("span", { class: "prose" }, words(one, ctx))));
    case "divider": return el("hr");
    case "actions": return el("div", { class: "actions" }, block.elements.map((one) => interactive(one, block, ctx)));
    case "rich_text": return el("div", { class: "prose" }, richText(block, ctx));
    case "image": return el("figure", {}, block.title && el("figcaption", {}, words(block.title, ctx)), image(block));
    case "table": return table(block, ctx);
    case "input": return input(block, ctx);
    case "alert": return el("div", { class: `alert ${block.level ?? "default"}`, role: "alert" }, words(block.text, ctx));
    case "markdown": return el("div", { class: "prose markdown" }, block.text);
    default: return el("div", { class: "unknown" }, `[${block.type}]`);
  }
}

export function drawBlocks(blocks, ctx) {
  return blocks.map((block) => {
    const node = draw(block, ctx);
    node.dataset.blockId ??= block.block_id ?? "";
    node.classList.add("block");
    return node;
  });
}

export { userMention };
