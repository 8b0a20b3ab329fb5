// Building elements from data. Data reaches the page as text nodes only, never as markup.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "class") node.className = value;
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter(Boolean));
}

const HUES = [212, 262, 338, 18, 156, 190, 42, 288];

export function avatar(person, isApp, size = "") {
  const seed = [...(person?.id ?? "?")].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) >>> 0, 7);
  const words = (person?.real_name || person?.name || "?").split(/\s+/);
  const initials = words.slice(0, isApp ? 1 : 2).map((w) => w[0]?.toUpperCase() ?? "").join("");
  const face = el("span", { class: `avatar ${size} ${isApp ? "is-app" : ""}`, "aria-hidden": "true" }, initials);
  if (!isApp) face.style.backgroundColor = `hsl(${HUES[seed % HUES.length]} 48% 44%)`;
  return face;
}

export async function post(act, body) {
  const answer = await fetch(`/ui/act/${act}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (told.misuse) toast(told.misuse, "bad");
  else if (told.banner) toast(`The app did not answer as it should: ${told.banner}`, "bad");
  return told;
}

export function toast(text, kind = "") {
  const box = el("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), 6000);
}
