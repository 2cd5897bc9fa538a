/* Block structure of Markdown: paragraphs, headings, lists, quotes, tables, code and rules.

   Follows CommonMark (https://spec.commonmark.org/0.31.2/) and GitHub's tables, with three differences:
   HTML is shown as text, images are links because the page loads nothing, and two spaces of indentation are
   enough to nest a list under a numbered item, because models write that. */
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`]*)/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+•]|\d{1,9}[.)])( +|$)/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const DEEPEST = 40;  /* deeper nesting is shown as text: recursion has a limit */

const indentation = (line) => line.match(/^ */)[0].length;
const isBlank = (line) => !line.trim();
const startsTable = (lines, at) => lines[at].includes("|") && at + 1 < lines.length && /[|:]/.test(lines[at + 1])
  && DELIMITERS.test(lines[at + 1]) && cells(lines[at]).length === cells(lines[at + 1]).length;
const interruptsParagraph = (lines, at) => {
  const item = lines[at].match(ITEM);
  return FENCE.test(lines[at]) || /^ {0,3}#{1,6}(\s|$)/.test(lines[at]) || RULE.test(lines[at]) || QUOTE.test(lines[at])
    || (item && item[3] && lines[at].length > item[0].length && (!/\d/.test(item[2]) || parseInt(item[2]) === 1)) || startsTable(lines, at);
};

/* The elements for a text. */
const markdown = (text) => {
  const lines = text.replace(/\r\n?/g, "\n").split("\n").map((line) => line.replace(/^[ \t]+/, (indent) => indent.replace(/\t/g, "    ")));
  const blocks = parseBlocks(lines, 0);
  for (const block of blocks) if (!block.dir) block.dir = "auto";
  return blocks;
};

const parseBlocks = (lines, depth) => {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) { at += 1; continue; }
    const parse = blockParser(lines, at, depth);
    if (blocks.length && isBlank(lines[at - 1])) blocks.separated = true;
    const [block, next] = parse(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
};

const blockParser = (lines, at, depth) => {
  const line = lines[at];
  if (indentation(line) >= 4) return parseIndentedCode;
  if (FENCE.test(line)) return parseFence;
  if (HEADING.test(line)) return parseHeading;
  if (RULE.test(line)) return (_, start) => [element("hr"), start + 1];
  if (depth < DEEPEST && QUOTE.test(line)) return parseQuote;
  if (depth < DEEPEST && ITEM.test(line)) return parseList;
  return startsTable(lines, at) ? parseTable : parseParagraph;
};

const parseIndentedCode = (lines, start) => {
  let end = start;
  for (let at = start; at < lines.length && (isBlank(lines[at]) || indentation(lines[at]) >= 4); at += 1) if (!isBlank(lines[at])) end = at + 1;
  return [codeBlock(lines.slice(start, end).map((line) => line.slice(4)).join("\n")), end];
};

const parseFence = (lines, start) => {
  const [, indent, fence, language] = lines[start].match(FENCE);
  const closes = new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},}[ \\t]*$`);
  let end = start + 1;
  while (end < lines.length && !closes.test(lines[end])) end += 1;
  const code = lines.slice(start + 1, end).map((line) => line.slice(Math.min(indent.length, indentation(line))));
  return [codeBlock(code.join("\n"), language), end + 1];
};

/* The page's own headings are h1 and h2. */
const heading = (level, text) => inline(element(`h${Math.min(level + 2, 6)}`), text.trim());
const parseHeading = (lines, start) => {
  const [, marks, text = ""] = lines[start].match(HEADING);
  return [heading(marks.length, text.replace(/^#+$/, "")), start + 1];
};

const parseQuote = (lines, start, depth) => {
  const quoted = [];
  let at = start;
  for (; at < lines.length; at += 1) {
    if (QUOTE.test(lines[at])) quoted.push(lines[at].replace(QUOTE, ""));
    else if (isBlank(lines[at]) || interruptsParagraph(lines, at) || !continuesParagraph(quoted)) break;
    else quoted.push(lines[at]);
  }
  return [element("blockquote", {}, ...parseBlocks(quoted, depth + 1)), at];
};

/* True if the last line is part of a paragraph, which the next line without markers then continues. */
const continuesParagraph = (lines) => {
  const last = lines.at(-1)?.replace(/^(?: {0,3}(?:>|[-*+•]|\d{1,9}[.)]) )+/, "") ?? "";
  if (isBlank(last) || FENCE.test(last) || HEADING.test(last) || RULE.test(last) || indentation(last) >= 4) return false;
  return lines.filter((line) => FENCE.test(line)).length % 2 === 0;
};

const parseList = (lines, start, depth) => {
  const kind = (marker) => (/\d/.test(marker) ? marker.at(-1) : marker);
  const [, , first] = lines[start].match(ITEM);
  const ordered = /\d/.test(first);
  const items = [];
  let at = start;
  let loose = false;
  while (at < lines.length) {
    const item = lines[at].match(ITEM);
    if (!item || kind(item[2]) !== kind(first) || RULE.test(lines[at])) break;
    const [content, next, endsBlank] = readItem(lines, at, item);
    items.push(content);
    at = next;
    const another = at < lines.length && lines[at].match(ITEM);
    if (endsBlank && another && kind(another[2]) === kind(first) && !RULE.test(lines[at])) loose = true;
  }
  const parsed = items.map((content) => parseBlocks(content, depth + 1));
  loose ||= parsed.some((blocks) => blocks.separated);
  const list = element(ordered ? "ol" : "ul", {}, ...parsed.map((blocks) => listItem(blocks, loose)));
  if (ordered && parseInt(first) !== 1) list.start = parseInt(first);
  return [list, at];
};

/* One item: its lines without their indentation, the next line's index, and whether a blank line follows. */
const readItem = (lines, start, [marker, indent, bullet, spaces]) => {
  const rest = lines[start].slice(marker.length);
  const padding = spaces.length > 4 || !spaces.length || isBlank(rest) ? 1 : spaces.length;
  const width = indent.length + bullet.length + padding;
  const content = [lines[start].slice(width)];
  let at = start + 1;
  for (; at < lines.length; at += 1) {
    const line = lines[at];
    const indented = indentation(line);
    const nested = /\d/.test(bullet) && indented >= indent.length + 2 && /^[-*+•] /.test(line.slice(indented));
    if (isBlank(line)) content.push("");
    else if (content.length > 1 && content.every(isBlank)) break;
    else if (indented >= width || nested) content.push(line.slice(Math.min(width, indented)));
    else if (content.at(-1) === "" || interruptsParagraph(lines, at) || ITEM.test(line) || !continuesParagraph(content)) break;
    else content.push(line.trimStart());
  }
  let endsBlank = false;
  while (content.length > 1 && content.at(-1) === "") { content.pop(); endsBlank = true; }
  return [content, at, endsBlank];
};

const listItem = (blocks, loose) => {
  const item = element("li", {}, ...blocks.flatMap((block) => (loose || block.tagName !== "P" ? [block] : [...block.childNodes])));
  const first = loose ? item.firstChild?.firstChild : item.firstChild;
  if (first?.nodeType === 3) first.data = first.data.replace(/^\[ \] /, "☐ ").replace(/^\[x\] /i, "☑ ");
  return item;
};

const cells = (row) => {
  const inner = row.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
};

const parseTable = (lines, start) => {
  const align = cells(lines[start + 1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
  const row = (line, tag) => {
    const texts = cells(line);
    return element("tr", {}, ...align.map((side, column) => inline(element(tag, side ? { name: side } : {}), texts[column] ?? "")));
  };
  let at = start + 2;
  const rows = [];
  for (; at < lines.length && !isBlank(lines[at]) && !(interruptsParagraph(lines, at) && !lines[at].includes("|")); at += 1) rows.push(row(lines[at], "td"));
  const table = element("table", {}, element("thead", {}, row(lines[start], "th")), ...(rows.length ? [element("tbody", {}, ...rows)] : []));
  return [element("div", { name: "table", tabindex: "0", role: "region", "aria-label": "Table" }, table), at];
};

const parseParagraph = (lines, start) => {
  let at = start + 1;
  for (; at < lines.length && !isBlank(lines[at]); at += 1) {
    const underline = lines[at].match(UNDERLINE);
    if (underline) return [heading(underline[1][0] === "=" ? 1 : 2, lines.slice(start, at).join("\n")), at + 1];
    if (interruptsParagraph(lines, at)) break;
  }
  const text = lines.slice(start, at).map((line) => line.trimStart()).join("\n").trimEnd();
  return [inline(element("p"), text), at];
};
