/* Reads a JSON list of Markdown texts, renders each with the page's own scripts, and prints a JSON list of HTML. */
const fs = require("node:fs");
const vm = require("node:vm");

const escape = (text) => text.replace(/[&<>"]/g, (mark) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[mark]);

class Text {
  nodeType = 3;
  constructor(data) { this.data = data; }
  get html() { return escape(this.data); }
}

/** As much of a DOM element as the page's Markdown needs. */
class Element {
  nodeType = 1;
  childNodes = [];
  attributes = {};
  dataset = {};
  constructor(tag) { this.tagName = tag.toUpperCase(); }
  get firstChild() { return this.childNodes[0]; }
  set className(name) { this.attributes.class = name; }
  set start(number) { this.attributes.start = String(number); }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...children) {
    for (const child of children) this.childNodes.push(typeof child === "string" ? new Text(child) : child);
  }
  get html() {
    const tag = this.tagName.toLowerCase();
    const attributes = Object.entries(this.attributes).map(([name, value]) => ` ${name}="${escape(value)}"`).join("");
    return `<${tag}${attributes}>${this.childNodes.map((child) => child.html).join("")}</${tag}>`;
  }
}

const context = vm.createContext({ document: { createElement: (tag) => new Element(tag) } });
const scripts = process.argv.slice(2).map((file) => fs.readFileSync(file, "utf8"));
vm.runInContext(`${scripts.join("\n")}\nthis.markdown = markdown;`, context);
const texts = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => context.markdown(text).map((block) => block.html).join(""))));
