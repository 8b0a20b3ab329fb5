// Text as people read it: mrkdwn, plain text, rich text, dates in the reader's zone and language.

import { el } from "/ui/dom.js";

const EMOJI = {
  white_check_mark: "✅", x: "❌", warning: "⚠️", hourglass: "⌛", hourglass_flowing_sand: "⏳", lock: "🔒",
  rotating_light: "🚨", eyes: "👀", "+1": "👍", "-1": "👎", tada: "🎉", bell: "🔔", no_entry: "⛔",
  hand: "✋", key: "🔑", moneybag: "💰", robot_face: "🤖", clock3: "🕒", memo: "📝", rocket: "🚀",
};

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] ?? all);

function link(url, label) {
  if (!/^(https?:|mailto:)/i.test(url)) return label;
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

export function formatDate(stamp, format, { tz, locale }) {
  const at = new Date(Number(stamp) * 1000);
  const say = (options) => new Intl.DateTimeFormat(locale, { timeZone: zone(tz), ...options }).format(at);
  const day = (d) => new Intl.DateTimeFormat("en-CA", { timeZone: zone(tz) }).format(d);
  const pretty = (long) => {
    const shift = (days) => day(new Date(Date.now() + days * 86400000));
    const near = [0, -1, 1].find((days) => shift(days) === day(at));
    return near === undefined ? say(long) : new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(near, "day");
  };
  const words = { month: "long", day: "numeric", year: "numeric" };
  const short = { month: "short", day: "numeric", year: "numeric" };
  const long = { weekday: "long", ...words };
  const ago = () => {
    const s = Math.round((Date.now() - at) / 1000), far = Math.abs(s);
    const [n, unit] = far < 90 ? [far, "second"] : far < 5400 ? [Math.round(far / 60), "minute"]
      : far < 129600 ? [Math.round(far / 3600), "hour"] : [Math.round(far / 86400), "day"];
    return new Intl.RelativeTimeFormat(locale).format(s > 0 ? -n : n, unit);
  };
  const tokens = {
    date_num: () => day(at), date: () => say(words), date_short: () => say(short), date_long: () => say(long),
    date_pretty: () => pretty(words), date_short_pretty: () => pretty(short), date_long_pretty: () => pretty(long),
    time: () => say({ hour: "numeric", minute: "2-digit" }), ago,
    time_secs: () => say({ hour: "numeric", minute: "2-digit", second: "2-digit" }),
  };
  return format.replace(/\{(\w+)\}/g, (all, name) => tokens[name]?.() ?? all);
}

function zone(tz) {
  try { new Intl.DateTimeFormat("en", { timeZone: tz }); return tz; } catch { return "UTC"; }
}

const mention = (text) => el("span", { class: "mention" }, text);

export function userMention(id, ctx, fallback) {
  return mention(`@${ctx.users.get(id)?.name ?? fallback ?? id}`);
}

function token(inner, ctx) {
  const cut = inner.indexOf("|");
  const [head, label] = cut < 0 ? [inner, ""] : [inner.slice(0, cut), unescape(inner.slice(cut + 1))];
  if (head[0] === "@") return userMention(head.slice(1), ctx, label);
  if (head[0] === "#") return mention(`#${ctx.channelNames[head.slice(1)] ?? (label || head.slice(1))}`);
  if (head.startsWith("!date^")) {
    const [, stamp, format, url] = head.split("^");
    const said = /^\d+$/.test(stamp) ? formatDate(stamp, unescape(format ?? ""), ctx) : label;
    return url ? link(unescape(url), said) : el("time", {}, said);
  }
  if (head.startsWith("!subteam^")) return mention(`@${ctx.usergroups.get(head.slice(9)) ?? (label || head)}`);
  if (head[0] === "!") return mention(`@${label || head.slice(1)}`);
  return link(unescape(head), label || unescape(head));
}

const INLINE = /<([^<>\n]+)>|`([^`\n]+)`|(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])|(?<!\w)_(?!\s)([^_\n]+?)(?<!\s)_(?!\w)|(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])|(https?:\/\/[^\s<>|]+)/g;

function inline(text, ctx, verbatim) {
  const out = [];
  let from = 0;
  const words = (piece) => piece && out.push(withEmoji(unescape(piece)));
  for (const found of text.matchAll(INLINE)) {
    const [all, tag, code, bold, italic, strike, url] = found;
    words(text.slice(from, found.index));
    from = found.index + all.length;
    if (tag !== undefined) out.push(token(tag, ctx));
    else if (code !== undefined) out.push(el("code", {}, unescape(code)));
    else if (bold !== undefined) out.push(el("strong", {}, inline(bold, ctx, verbatim)));
    else if (italic !== undefined) out.push(el("em", {}, inline(italic, ctx, verbatim)));
    else if (strike !== undefined) out.push(el("s", {}, inline(strike, ctx, verbatim)));
    else out.push(verbatim ? unescape(url) : link(unescape(url), unescape(url)));
  }
  words(text.slice(from));
  return out;
}

export function mrkdwn(text, ctx, verbatim = false) {
  const out = [];
  text.split(/```\n?/).forEach((part, place) => {
    if (place % 2) return out.push(el("pre", {}, unescape(part.replace(/\n$/, ""))));
    let quote = null;
    for (const [number, line] of part.split("\n").entries()) {
      const quoted = /^(?:&gt;|>) ?/.exec(line);
      if (quoted) {
        if (!quote) out.push((quote = el("blockquote")));
        else quote.append(el("br"));
        quote.append(...inline(line.slice(quoted[0].length), ctx, verbatim));
        continue;
      }
      if (number && !quote) out.push(el("br"));
      quote = null;
      out.push(...inline(line, ctx, verbatim));
    }
  });
  return out;
}

export function words(object, ctx) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, ctx, object.verbatim);
  return [object.emoji === false ? object.text : withEmoji(object.text)];
}

function styled(node, style = {}) {
  let out = node;
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"], ["underline", "u"]])
    if (style[name]) out = el(tag, {}, out);
  return out;
}

function part(one, ctx) {
  switch (one.type) {
    case "text": return styled(one.text, one.style);
    case "link": return styled(link(one.url, one.text || one.url), one.style);
    case "user": return userMention(one.user_id, ctx);
    case "channel": return mention(`#${ctx.channelNames[one.channel_id] ?? one.channel_id}`);
    case "usergroup": return mention(`@${ctx.usergroups.get(one.usergroup_id) ?? one.usergroup_id}`);
    case "broadcast": return mention(`@${one.range}`);
    case "emoji": return EMOJI[one.name] ?? `:${one.name}:`;
    case "date": return styled(el("time", {}, formatDate(one.timestamp, one.format, ctx)), one.style);
    default: return `[${one.type}]`;
  }
}

const parts = (holder, ctx) => holder.elements.map((one) => part(one, ctx));

export function richText(block, ctx) {
  return block.elements.map((one) => {
    switch (one.type) {
      case "rich_text_quote": return el("blockquote", { class: "rich" }, parts(one, ctx));
      case "rich_text_preformatted": return el("pre", {}, parts(one, ctx));
      case "rich_text_list": {
        const list = el(one.style === "ordered" ? "ol" : "ul", { class: `rich-list indent-${one.indent ?? 0}` },
          one.elements.map((item) => el("li", {}, parts(item, ctx))));
        if (one.offset) list.start = one.offset + 1;
        return list;
      }
      default: return el("div", { class: "rich" }, parts(one, ctx));
    }
  });
}
