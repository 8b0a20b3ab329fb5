// The page: who acts, what stands open, messages as they change.

import { avatar, el, fill, post, toast } from "/ui/dom.js";
import { drawBlocks } from "/ui/blocks.js";
import { drawDrawer, setUpDrawer } from "/ui/drawer.js";
import { drawModal } from "/ui/modal.js";
import { mrkdwn } from "/ui/text.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const chosen = { user: query.get("user") ?? "", channel: "", wanted: query.get("channel") ?? "", isHome: query.has("home") };
const nodes = new Map();
const readUpTo = new Map();
let state = null;
let fetching = false;
let isStale = false;

async function refresh() {
  if (fetching) { isStale = true; return; }
  fetching = true;
  try {
    do {
      isStale = false;
      const asked = new URLSearchParams({ user: chosen.user, channel: chosen.channel });
      const answer = await fetch(`/ui/state?${asked}`);
      if (answer.ok) adopt(await answer.json());
    } while (isStale);
  } finally { fetching = false; }
}

function adopt(next) {
  if (chosen.user && next.user !== chosen.user) chosen.user = next.user;
  chosen.user ||= next.user;
  const known = next.channels.find((c) => c.id === chosen.channel);
  if (!known) {
    const named = next.channels.find((c) => c.name === chosen.wanted || c.id === chosen.wanted);
    const busiest = [...next.channels].filter((c) => !c.is_im).sort((a, b) => b.last_ts.localeCompare(a.last_ts))[0];
    chosen.channel = (named ?? busiest ?? next.channels[0])?.id ?? "";
    chosen.wanted = "";
    if (chosen.channel) { isStale = true; return; }
  }
  state = next;
  draw();
}

function context() {
  const reader = state.users.find((u) => u.id === state.user);
  return {
    users: new Map(state.users.map((u) => [u.id, u])),
    usergroups: new Map(state.usergroups.map((g) => [g.id, g.handle])),
    channelNames: state.channel_names,
    tz: reader?.tz ?? "UTC",
    locale: reader?.locale ?? "en-US",
  };
}

function draw() {
  const ctx = context();
  drawSidebar();
  drawBar();
  if (chosen.isHome) drawHome(ctx); else drawMessages(ctx);
  drawModal(state, ctx);
  drawDrawer(state);
  remember();
}

function remember() {
  const channel = state.channels.find((c) => c.id === chosen.channel);
  const asked = new URLSearchParams({ user: chosen.user, channel: channel?.is_im ? channel.id : channel?.name ?? "" });
  if (chosen.isHome) asked.set("home", "1");
  history.replaceState(null, "", `/?${asked}`);
}

function sideButton(props, ...children) {
  return el("li", {}, el("button", { type: "button", ...props }, children));
}

function drawSidebar() {
  $("team").textContent = state.team.name;
  document.title = `${state.team.name} · emulated workspace`;
  const isUnread = (c) => {
    const key = `${state.user} ${c.id}`;
    if (!readUpTo.has(key) || (c.id === chosen.channel && !chosen.isHome)) readUpTo.set(key, c.last_ts);
    return c.last_ts > readUpTo.get(key);
  };
  const line = (c) => sideButton({
    class: `side ${c.id === chosen.channel && !chosen.isHome ? "is-here" : ""} ${isUnread(c) ? "is-unread" : ""}`,
    data: { channelId: c.id, channel: c.name }, on: { click: () => go({ channel: c.id, isHome: false }) },
  }, el("span", { class: "sign", "aria-hidden": "true" }, c.is_im ? "●" : c.is_private ? "🔒" : "#"), el("span", { class: "side-name" }, c.name),
  c.is_ext_shared && el("small", { class: "tag" }, "external"), c.is_archived && el("small", { class: "tag" }, "archived"),
  isUnread(c) && el("span", { class: "dot", role: "img", "aria-label": "unread" }));
  fill($("channels"), state.channels.filter((c) => !c.is_im).map(line));
  const dms = state.channels.filter((c) => c.is_im).map((c) => ({ ...c, name: state.app }));
  $("dm-title").hidden = dms.length === 0;
  fill($("dms"), dms.map(line));
  const bot = state.users.find((u) => u.id === state.bot);
  fill($("apps"), sideButton({ class: `side ${chosen.isHome ? "is-here" : ""}`, data: { open: "home" }, on: { click: () => { go({ isHome: true }); post("home", { user: chosen.user }); } } },
    avatar(bot, true, "small"), el("span", { class: "side-name" }, state.app), el("small", { class: "tag" }, "home")));
  fill($("people"), state.users.filter((u) => !u.is_bot).map((u) => sideButton({
    class: `side person ${u.id === state.user ? "is-me" : ""} ${u.deleted ? "is-gone" : ""}`, data: { userId: u.id }, "aria-pressed": String(u.id === state.user),
    on: { click: () => go({ user: u.id }) },
  }, avatar(u, false, "small"), el("span", { class: "who" }, el("span", { class: "side-name" }, u.real_name),
    el("small", {}, u.deleted ? "deactivated" : u.title || (u.is_guest ? "Guest" : `@${u.name}`))))));
}

let settledAt = -1;

// To the newest message: to the end of the stream, or to the message's top where it is taller than the window.
function toNewest() {
  const stream = $("stream"), newest = $("messages").querySelector(":scope > article:last-of-type");
  stream.scrollTop = stream.scrollHeight;
  if (newest && newest.offsetHeight > stream.clientHeight) {
    stream.scrollTop += newest.getBoundingClientRect().top - stream.getBoundingClientRect().top;
  }
  settledAt = stream.scrollTop;
}

function go(where) {
  if (where.user && where.user !== chosen.user && chosen.isHome) post("home", { user: where.user });
  Object.assign(chosen, where);
  nodes.clear();
  $("messages").replaceChildren();
  refresh().then(toNewest);
}

function drawBar() {
  const channel = state.channels.find((c) => c.id === chosen.channel);
  $("place").textContent = chosen.isHome ? state.app : channel ? `${channel.is_im ? "" : channel.is_private ? "🔒 " : "# "}${channel.is_im ? state.app : channel.name}` : "No channel";
  $("topic").textContent = chosen.isHome ? "App home, as published for you" : [channel?.topic, channel && !channel.is_im && `${channel.members} members`].filter(Boolean).join(" · ");
  $("composer").hidden = chosen.isHome || !channel;
  $("say").placeholder = channel ? (channel.is_archived ? "This channel is archived" : `Message ${channel.is_im ? "" : "#"}${channel.name}, or type ${state.commands[0]?.name ?? "/command"} help`) : "";
  $("say").disabled = Boolean(channel?.is_archived);
}

function clock(ts, { tz, locale }) {
  const at = new Date(Number(ts) * 1000);
  try { return at.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit", timeZone: tz }); } catch { return at.toISOString().slice(11, 16); }
}

function body(message, place, ctx) {
  const version = message.versions[place];
  const isNewest = place === message.versions.length - 1;
  const inner = {
    ...ctx, scope: `${message.ts}-${place}`, values: state.choices[message.ts], changes: true,
    act: (element, block, value) => post("click", {
      user: state.user, channel: state.channel, ts: message.ts, action_id: element.action_id, block_id: block.block_id, value,
      ...(isNewest ? {} : { version: place }),
    }),
  };
  const parts = version.blocks.length ? drawBlocks(version.blocks, inner) : [el("div", { class: "block prose" }, mrkdwn(version.text, ctx))];
  const files = (message.files ?? []).map((f) => f.is_picture === false
    ? el("p", { class: "file" }, el("a", { href: `/ui/file/${encodeURIComponent(f.id)}`, target: "_blank", rel: "noopener" }, f.title), el("small", {}, ` ${f.size.toLocaleString("en-US")} bytes`))
    : el("img", { class: "picture", src: `/ui/file/${encodeURIComponent(f.id)}`, alt: f.alt || f.title }));
  return [...parts, ...files];
}

function messageNode(message, ctx) {
  const person = ctx.users.get(message.user);
  const isSystem = message.user === "USLACKBOT";
  const content = el("div", { class: "body" });
  const last = message.versions.length - 1;
  const history = el("div", { class: "history", hidden: true });
  const show = (place) => {
    fill(content, body(message, place, ctx));
    article.classList.toggle("is-old", place !== last);
    history.hidden = place === last;
    fill(history, "Older version: its buttons send stale clicks. ",
      message.versions.map((_, n) => el("button", { type: "button", class: "chip", "aria-pressed": String(n === place), on: { click: () => show(n) } }, n === last ? "now" : String(n + 1))));
  };
  const head = el("header", {}, el("strong", {}, isSystem ? "Slackbot" : person?.real_name ?? message.user),
    (message.is_app || isSystem) && el("span", { class: "app-tag" }, "APP"), el("time", {}, clock(message.ts, ctx)),
    last > 0 && el("button", { type: "button", class: "edited", title: "Show older versions", on: { click: () => show(history.hidden ? last - 1 : last) } }, "(edited)"));
  const article = el("article", {
    class: `message ${message.is_ephemeral ? "is-ephemeral" : ""} ${message.thread_ts && message.thread_ts !== message.ts ? "is-reply" : ""} ${isSystem ? "is-system" : ""}`,
    id: `p${message.ts.replace(".", "")}`, data: { ts: message.ts, channel: state.channel },
  }, avatar(isSystem ? { id: "S", name: "!" } : person, message.is_app), el("div", { class: "message-main" },
    message.is_ephemeral && el("p", { class: "only-you" }, "Only visible to you",
      el("button", { type: "button", class: "link", on: { click: () => post("dismiss", { ts: message.ts }) } }, "Dismiss")),
    head, history, content, reactions(message),
    message.replies > 0 && el("p", { class: "replies" }, `${message.replies} ${message.replies === 1 ? "reply" : "replies"}`)));
  show(last);
  return article;
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  const names = [...new Set(message.reactions.map(([name]) => name))];
  return el("p", { class: "reactions" }, names.map((name) => el("span", { class: "chip" }, `:${name}: ${message.reactions.filter(([n]) => n === name).length}`)));
}

function ordered(messages) {
  const isReply = (m) => m.thread_ts && m.thread_ts !== m.ts;
  return messages.filter((m) => !isReply(m)).flatMap((m) => [m, ...messages.filter((r) => isReply(r) && r.thread_ts === m.ts)]);
}

function drawMessages(ctx) {
  const stream = $("stream"), list = $("messages");
  const isAtEnd = stream.scrollHeight - stream.scrollTop - stream.clientHeight < 120 || Math.abs(stream.scrollTop - settledAt) < 2;
  list.classList.remove("is-home");
  const wanted = ordered(state.messages).map((message) => {
    const key = JSON.stringify([state.user, message, state.choices[message.ts]]);
    const kept = nodes.get(message.ts);
    if (kept?.key === key) return kept.node;
    const node = messageNode(message, ctx);
    if (kept) node.classList.add("is-fresh");
    nodes.set(message.ts, { key, node });
    return node;
  });
  if (!wanted.length) wanted.push(el("p", { class: "empty" }, "Nothing has been said here yet."));
  const standing = [...list.children];
  const isChanged = standing.length !== wanted.length || wanted.some((n, i) => n !== standing[i]);
  if (isChanged) list.replaceChildren(...wanted);
  if (isChanged && isAtEnd) toNewest();
}

function drawHome(ctx) {
  const list = $("messages");
  list.classList.add("is-home");
  const key = JSON.stringify([state.user, state.home]);
  if (list.dataset.home === key && list.querySelector(".home")) return;
  list.dataset.home = key;
  nodes.clear();
  if (!state.home) return fill(list, el("p", { class: "empty home" }, "The app has not published a home tab for you."));
  const inner = { ...ctx, scope: state.home.id, values: state.home.values, changes: true,
    act: (element, block, value) => post("view", { user: state.user, view_id: state.home.id, action_id: element.action_id, block_id: block.block_id, value }) };
  fill(list, el("section", { class: "home body", "data-view-id": state.home.id }, drawBlocks(state.home.body.blocks, inner)));
}

function setUpComposer() {
  const say = $("say"), hints = $("hints");
  const showHints = () => {
    if (!state) return;
    const text = say.value;
    const fits = text.startsWith("/") ? state.commands.filter((c) => c.name.startsWith(text.split(" ")[0]) || text.startsWith(c.name)) : [];
    hints.hidden = fits.length === 0;
    fill(hints, fits.map((c) => el("li", { role: "option", on: { mousedown: (event) => { event.preventDefault(); say.value = `${c.name} `; say.focus(); } } },
      el("strong", {}, c.name), " ", el("code", {}, c.hint), el("small", {}, c.description))));
  };
  say.addEventListener("input", showHints);
  say.addEventListener("blur", () => { hints.hidden = true; });
  $("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = say.value.trim();
    if (!text || !state) return;
    say.value = "";
    hints.hidden = true;
    const told = await post("type", { user: chosen.user, channel: chosen.channel, text });
    if (told.misuse && !say.value) say.value = text;
    toNewest();
  });
}

function listen() {
  const feed = new EventSource("/ui/events");
  let wasLost = false;
  feed.onmessage = () => refresh();
  feed.onopen = () => { if (wasLost) { wasLost = false; refresh(); } };
  feed.onerror = () => { if (!wasLost) toast("The emulator does not answer; trying again.", "bad"); wasLost = true; };
}

setUpDrawer(() => state && drawDrawer(state));
setUpComposer();
listen();
refresh().then(() => { toNewest(); if (chosen.isHome) post("home", { user: chosen.user }); });
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.overflow[open]")) if (!open.contains(event.target)) open.open = false;
});
