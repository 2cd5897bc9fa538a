/* Inline Markdown: emphasis, code, links and line breaks, as CommonMark defines them. */
const ESCAPED = /^\\([!-/:-@[-`{-~])/;
const AUTOLINK = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i;
const BARE_ADDRESS = /^https?:\/\/[^\s<>`"'\\]+/i;
const ENTITY = /^&(?:amp|lt|gt|quot|apos|nbsp|copy|hellip|mdash|ndash|times|deg|#\d{1,7}|#x[\da-f]{1,6});/i;
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", hellip: "…", mdash: "—", ndash: "–", times: "×", deg: "°" };
const PUNCTUATION = /[\p{P}\p{S}]/u;
const LONGEST_LINK_TEXT = 300;

const decodeEntity = (entity) => {
  const name = entity.slice(1, -1).toLowerCase();
  if (name[0] !== "#") return NAMED[name];
  const code = name[1] === "x" ? parseInt(name.slice(2), 16) : parseInt(name.slice(1));
  return code && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
};

/* Appends the text, with its markup, to an element. */
const inline = (parent, text) => { parent.append(...inlineNodes(text)); return parent; };

const inlineNodes = (text, links = true) => {
  const nodes = [];  /* strings, elements, and runs of delimiters that may become emphasis */
  const push = (string) => (typeof nodes.at(-1) === "string" ? (nodes[nodes.length - 1] += string) : nodes.push(string));
  let at = 0;
  while (at < text.length) {
    const [node, length] = readInline(text, at, links) ?? [text[at], 1];
    if (typeof node === "string") push(node); else nodes.push(node);
    at += length;
  }
  return emphasize(nodes);
};

const readInline = (text, at, links) => {
  const mark = text[at];
  if (!"\\`<&![*_~ \nh".includes(mark.toLowerCase())) return plainText(text, at);
  if (mark === "*" || mark === "_" || mark === "~") return delimiterRun(text, at);
  if (mark === "`") return codeSpan(text, at);
  if (mark === "[") return links ? readLink(text, at) : null;
  if (mark === "!") { const image = links && text[at + 1] === "[" && readLink(text, at + 1); return image ? [image[0], image[1] + 1] : null; }
  if (mark === " " || mark === "\n") return lineBreak(text, at);
  const rest = text.slice(at, at + 2100);
  let found;
  if (mark === "\\") return (found = rest.match(ESCAPED)) ? [found[1], 2] : rest[1] === "\n" ? [element("br"), 2] : null;
  if (mark === "&") return (found = rest.match(ENTITY)) && [decodeEntity(found[0]), found[0].length];
  if (mark === "<") return links && (found = rest.match(AUTOLINK)) && [link(found[1], found[1].replace(/^mailto:/i, "")), found[0].length];
  return links ? bareAddress(rest, text[at - 1]) : null;
};

const plainText = (text, at) => {
  const length = text.slice(at).search(/[\\`<&![*_~ \nhH]/);
  const end = length < 0 ? text.length : at + length;
  return [text.slice(at, end), end - at];
};

/* A newline stays a newline, which the style sheet shows; the spaces around it go. */
const lineBreak = (text, at) => {
  const [spaces] = text.slice(at).match(/^ *\n? */);
  return spaces.includes("\n") ? ["\n", spaces.length] : [spaces, spaces.length];
};

const codeSpan = (text, at) => {
  const ticks = text.slice(at).match(/^`+/)[0];
  for (let end = at + ticks.length; (end = text.indexOf(ticks, end)) >= 0;) {
    const run = text.slice(end).match(/^`+/)[0];
    if (run.length === ticks.length) {
      const code = text.slice(at + ticks.length, end).replace(/\n/g, " ");
      const padded = /^ .* $/.test(code) && code.trim();
      return [element("code", { dir: "ltr", text: padded ? code.slice(1, -1) : code }), end + ticks.length - at];
    }
    end += run.length;
  }
  return [ticks, ticks.length];
};

const bareAddress = (rest, before) => {
  if (before && /[\w]/.test(before)) return null;
  let address = rest.match(BARE_ADDRESS)?.[0].replace(/[?!.,:;*_~|]+$/, "");
  while (address?.endsWith(")") && address.split(")").length > address.split("(").length) address = address.slice(0, -1);
  return address ? [link(address, address), address.length] : null;
};

/* `[text](address "title")`. The address must be safe to open, or the source is shown. */
const readLink = (text, at) => {
  const target = text.indexOf("](", at);
  if (target < 0 || target > at + LONGEST_LINK_TEXT) return null;
  let depth = 0;
  let close = at;
  for (; close < Math.min(text.length, at + LONGEST_LINK_TEXT); close += 1) {
    if (text[close] === "\\") close += 1;
    else if (text[close] === "`") close += codeSpan(text, close)[1] - 1;
    else if (text[close] === "[") depth += 1;
    else if (text[close] === "]" && (depth -= 1) === 0) break;
  }
  if (text[close] !== "]" || text[close + 1] !== "(") return null;
  const found = text.slice(close + 1, close + 2100).match(/^\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.)*\))*))(?:\s+(?:"(?:[^"\\]|\\.)*"|'[^']*'|\([^)]*\)))?\s*\)/);
  const address = safeAddress((found?.[1] ?? found?.[2])?.replace(/\\([!-/:-@[-`{-~])/g, "$1"));
  if (!address) return null;
  const label = text.slice(at + 1, close).replace(/!\[([^\]]*)\]\([^)]*\)/g, "$1");
  if (label.replace(/`+[^`]*`+/g, "").includes("](")) return null;  /* the inner one is the link */
  return [link(address, ...inlineNodes(label || address, false)), close + 1 - at + found[0].length];
};

/* A run of `*`, `_` or `~` and whether it may open or close emphasis: CommonMark's flanking rules. */
const delimiterRun = (text, at) => {
  const mark = text[at];
  let end = at;
  while (text[end] === mark) end += 1;
  const before = at ? [...text.slice(Math.max(0, at - 2), at)].at(-1) : " ";
  const after = end < text.length ? String.fromCodePoint(text.codePointAt(end)) : " ";
  const left = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
  const right = !/\s/.test(before) && (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
  const word = mark === "_";
  const opens = left && (!word || !right || PUNCTUATION.test(before));
  const closes = right && (!word || !left || PUNCTUATION.test(after));
  return [{ mark, count: end - at, size: end - at, opens, closes, both: left && right }, end - at];
};

const isRun = (node) => typeof node === "object" && "mark" in node;

/* Turns matching runs into elements: CommonMark's algorithm for emphasis, without its index of openers. */
const emphasize = (nodes) => {
  for (let at = 0; at < nodes.length; at += 1) {
    const closer = nodes[at];
    if (!isRun(closer) || !closer.closes) continue;
    const from = openerBefore(nodes, at);
    if (from < 0) continue;
    const opener = nodes[from];
    const size = closer.mark === "~" ? closer.count : Math.min(opener.count, closer.count, 2);
    const content = nodes.slice(from + 1, at).map(asText);
    const tag = closer.mark === "~" ? "del" : size === 2 ? "strong" : "em";
    opener.count -= size;
    closer.count -= size;
    const before = opener.count ? [opener] : [];
    const after = closer.count ? [closer] : [];
    nodes.splice(from, at - from + 1, ...before, element(tag, {}, ...content), ...after);
    at = from + before.length;
  }
  return nodes.map(asText);
};

const openerBefore = (nodes, at) => {
  const closer = nodes[at];
  for (let from = at - 1; from >= 0 && at - from < 2000; from -= 1) {
    const run = nodes[from];
    if (!isRun(run) || run.mark !== closer.mark || !run.opens) continue;
    if (run.mark === "~") { if (run.count === closer.count && run.count <= 2) return from; continue; }
    const third = (run.both && run.opens && run.closes) || (closer.opens && closer.closes);
    if (third && (run.size + closer.size) % 3 === 0 && (run.size % 3 || closer.size % 3)) continue;
    return from;
  }
  return -1;
};

const asText = (node) => (isRun(node) ? node.mark.repeat(node.count) : node);
