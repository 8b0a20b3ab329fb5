// The modal on top of the reader's stack: fields, errors at fields, updates that keep typed text.

import { el, fill, post } from "/ui/dom.js";
import { drawBlocks } from "/ui/blocks.js";

const dialog = document.getElementById("modal");
let drawn = "";

function collect(view) {
  const values = {};
  for (const block of view.body.blocks.filter((b) => b.type === "input")) {
    const node = [...dialog.querySelectorAll("[data-action-id]")].find(
      (one) => one.dataset.blockId === block.block_id && one.dataset.actionId === block.element.action_id);
    if (!node) continue;
    if (node.classList.contains("boxes")) {
      const on = [...node.querySelectorAll("input:checked")].map((box) => box.value);
      values[block.block_id] = block.element.type === "radio_buttons" ? on[0] ?? null : on;
    } else if (node.type === "datetime-local") {
      values[block.block_id] = node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null;
    } else values[block.block_id] = node.value || null;
  }
  return values;
}

function keepTyped(run) {
  const kept = [...dialog.querySelectorAll("input.field, textarea.field")].map((n) => [n.dataset.blockId, n.dataset.actionId, n.value]);
  const focused = document.activeElement?.dataset?.actionId;
  run();
  for (const [block, action, value] of kept) {
    const same = [...dialog.querySelectorAll(".field")].find((n) => n.dataset.blockId === block && n.dataset.actionId === action);
    if (same && value) same.value = value;
    if (same && focused === action) same.focus();
  }
}

export function drawModal(state, ctx) {
  const view = state.modals.at(-1);
  if (!view) {
    if (dialog.open) dialog.close();
    drawn = "";
    return;
  }
  const key = JSON.stringify([state.user, view.id, view.hash, view.errors]);
  if (key === drawn) return;
  const isSame = dialog.dataset.viewId === view.id;
  drawn = key;
  const act = (element, block, value) => post("view", { user: state.user, view_id: view.id, action_id: element.action_id, block_id: block.block_id, value });
  const suggest = (element, typed) => post("suggest", { user: state.user, view_id: view.id, action_id: element.action_id, typed });
  const inner = { ...ctx, scope: view.id, values: view.values, errors: view.errors, changes: true, act, suggest };
  const forInputs = { ...inner, changes: false };
  const draw = () => build(view, state, view.body.blocks.flatMap((b) =>
    drawBlocks([b], b.type === "input" && !b.dispatch_action ? forInputs : inner)));
  if (isSame) keepTyped(draw); else draw();
  dialog.dataset.viewId = view.id;
  if (!dialog.open) dialog.showModal();
}

function build(view, state, blocks) {
  const close = () => post("close", { user: state.user, view_id: view.id });
  const send = async (event) => {
    event.preventDefault();
    const go = event.submitter ?? dialog.querySelector("[type=submit]");
    go.disabled = true;
    go.classList.add("is-busy");
    try { await post("submit", { user: state.user, view_id: view.id, values: collect(view) }); }
    finally { go.disabled = false; go.classList.remove("is-busy"); }
  };
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  fill(dialog, el("form", { class: "modal-form", novalidate: true, on: { submit: send } },
    el("header", {},
      el("h2", { id: "modal-title" }, view.body.title?.text ?? ""),
      state.modals.length > 1 && el("span", { class: "depth" }, `${state.modals.length} of 3`),
      el("button", { type: "button", class: "x", "aria-label": "Close", on: { click: close } }, "×")),
    el("div", { class: "modal-body" }, blocks),
    el("footer", {},
      el("button", { type: "button", class: "btn", on: { click: close } }, view.body.close?.text ?? "Close"),
      view.body.submit && el("button", { type: "submit", class: "btn submit", "data-submit": "yes" }, view.body.submit.text))));
}
