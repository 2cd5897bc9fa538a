/* Creates elements. Text from the model becomes text nodes only, never HTML. */
const byId = (id) => document.getElementById(id);

const element = (tag, { text = "", name = "", ...attributes } = {}, ...children) => {
  const created = document.createElement(tag);
  if (name) created.className = name;
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  if (text) created.append(text);
  created.append(...children);
  return created;
};

const button = (text, action, attributes = {}) => {
  const created = element("button", { type: "button", text, ...attributes });
  created.addEventListener("click", action);
  return created;
};

/* Only addresses that a browser opens without running code. Returns null for all others. */
const safeAddress = (address) => (/^(https?:\/\/|mailto:)[^\s]+$/i.test(address ?? "") ? address : null);

const link = (address, ...children) =>
  element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children,
    element("span", { name: "unseen", text: " (opens in a new tab)" }));

const codeBlock = (text, language = "") => {
  const pre = element("pre", { tabindex: "0", dir: "ltr" }, element("code", { text }));
  if (language) pre.dataset.language = language;
  return element("div", { name: "code" }, pre, element("button", { type: "button", name: "copy", text: "Copy", "aria-label": "Copy code" }));
};

const formattedJson = (value) => JSON.stringify(value, null, 2);
