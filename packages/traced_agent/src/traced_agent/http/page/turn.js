/* One question and its answer. `record` is what a reload restores; it holds JSON only. */
const nearEnd = () => document.documentElement.scrollHeight - innerHeight - scrollY < 80;
const scrollToEnd = () => scrollTo(0, document.documentElement.scrollHeight);

/* Changes the page and stays at its end, unless the reader has scrolled up. */
const keepingPosition = (change) => {
  const follow = nearEnd();
  change();
  if (follow) scrollToEnd();
};

/* Replaces only the blocks that differ, so that a selection in a finished block survives. */
const updateBlocks = (parent, blocks) => {
  let same = 0;
  while (same < blocks.length && parent.children[same]?.isEqualNode(blocks[same])) same += 1;
  while (parent.children.length > same) parent.lastElementChild.remove();
  parent.append(...blocks.slice(same));
};

class Turn {
  constructor(record, { save, retry, resume, startOver }) {
    Object.assign(this, { record, save, retry, resume, startOver, nodes: [] });
    this.answer = element("div", { name: "answer" });
    this.extras = element("div", { name: "extras" });
    this.facts = element("div", { name: "facts" });
    this.card = element("article", { "aria-busy": String(!record.outcome) }, element("h2", { name: "question", dir: "auto", text: record.query }), this.answer, this.extras, this.facts);
    byId("log").append(this.card);
    record.parts.forEach((_, index) => this.drawPart(index));
    if (record.outcome) this.drawOutcome();
    else this.startClock();
  }

  get ended() { return Boolean(this.record.outcome); }

  startClock() {
    this.began = performance.now();
    this.clock = setInterval(() => keepingPosition(() => this.facts.replaceChildren(element("span", { name: "elapsed", text: `Working for ${Math.round(this.seconds)} s` }))), 1000);
  }

  get seconds() { return (performance.now() - this.began) / 1000; }

  drawPart(index) {
    const part = this.record.parts[index];
    const old = this.nodes[index];
    if (part.tool) {
      this.nodes[index] = toolCall(part.tool);
      if (old) { this.nodes[index].open = old.open; old.replaceWith(this.nodes[index]); } else this.answer.append(this.nodes[index]);
    } else {
      if (!old) this.answer.append(this.nodes[index] = element("div", { name: "text" }));
      updateBlocks(this.nodes[index], markdown(part.text));
    }
  }

  add(part) {
    this.record.parts.push(part);
    keepingPosition(() => this.drawPart(this.record.parts.length - 1));
  }

  /* Events of the stream. */
  text({ text: sent }) {
    const text = this.withoutRepetition(sent);
    if (!text) return null;
    const last = this.record.parts.at(-1);
    if (!last || last.tool) return this.add({ text });
    last.text += text;
    this.drawing ??= requestAnimationFrame(() => this.drawText());
  }

  drawText() {
    cancelAnimationFrame(this.drawing);
    this.drawing = null;
    const last = this.record.parts.length - 1;
    if (last >= 0 && !this.record.parts[last].tool) keepingPosition(() => this.drawPart(last));
  }

  tool({ id, agent, name, state, input, output }) {
    this.drawText();
    const same = ({ tool }) => tool?.state === "started" && (id ? tool.id === id : tool.name === name);
    const index = state === "started" ? -1 : this.record.parts.findIndex(same);
    if (index < 0) this.add({ tool: { id, agent, name, state, input, output } });
    else {
      Object.assign(this.record.parts[index].tool, { state, output });
      keepingPosition(() => this.drawPart(index));
    }
    announce(`Tool ${name} ${TOOL_STATES[state] ?? state}`);
  }

  /* All text so far is void and follows again. Text before the last tool call stays in its place if it is the same. */
  reset() {
    const lastTool = this.record.parts.findLastIndex(({ tool }) => tool);
    this.removeText(lastTool + 1);
    this.repeated = this.streamedText();
  }

  withoutRepetition(text) {
    const repeated = this.repeated;
    this.repeated = "";
    if (!repeated) return text;
    if (text.startsWith(repeated)) return text.slice(repeated.length);
    this.removeText(0);
    return text;
  }

  removeText(from) {
    for (let index = this.record.parts.length - 1; index >= from; index -= 1) {
      if (this.record.parts[index].tool) continue;
      this.record.parts.splice(index, 1);
      this.nodes.splice(index, 1)[0].remove();
    }
  }

  streamedText() { return this.record.parts.map(({ text }) => text ?? "").join(""); }

  fakeModel() { this.record.fake = true; }

  result(result) {
    this.completeText(result.response ?? "");
    this.end({ kind: "result", ...result, response: undefined, query: undefined });
    announce(`Answer complete after ${this.record.seconds.toFixed(1)} seconds.`);
  }

  /* The streamed text may lack the final response, or differ from it where characters were replaced. */
  completeText(response) {
    const last = this.record.parts.at(-1);
    if (!this.streamedText().trimEnd().endsWith(response)) {
      if (last && !last.tool) last.text = response;
      else this.add({ text: response });
    }
    this.drawText();
  }

  error(failed) {
    this.end({ kind: "error", ...failed });
    announce(this.extras.textContent);
  }

  stopped() {
    this.end({ kind: "stopped" });
    announce("Stopped.");
  }

  end(outcome) {
    clearInterval(this.clock);
    this.drawText();
    this.record.parts.forEach(({ tool }, index) => {
      if (tool?.state === "started") { tool.state = "stopped"; this.drawPart(index); }
    });
    Object.assign(this.record, { outcome, seconds: this.seconds });
    keepingPosition(() => this.drawOutcome());
    this.card.setAttribute("aria-busy", "false");
    this.save();
  }

  drawOutcome() {
    const { outcome, seconds, fake } = this.record;
    this.extras.replaceChildren(...this.extrasOf(outcome));
    this.facts.replaceChildren(...factsOf(outcome, seconds), ...traceLink(outcome), ...(fake ? [fakeModelLabel()] : []), this.actions(outcome));
  }

  extrasOf({ kind, error, data, citations, interrupts }) {
    const again = button("Try again", () => this.retry(this));
    const over = button("Start over", () => this.startOver(this.record.query));
    if (kind === "stopped") return [noteBox("You stopped this answer.", [])];
    if (kind === "unfinished") return [noteBox("The page was closed before this answer was complete.", [again])];
    if (kind === "error") {
      const actions = [RETRYABLE.includes(error.code) && again, error.code.startsWith("session_") && over].filter(Boolean);
      return [error.code === "session_busy" ? noteBox(BUSY, actions) : errorBox(error, actions)];
    }
    return [data != null && dataSection(data), citations?.length && citationList(citations), interrupts?.length && interruptList(interrupts, config.sessions && this.resume)].filter(Boolean);
  }

  actions(outcome) {
    const group = element("span", { name: "actions" });
    const text = this.record.parts.map((part) => part.text ?? "").filter(Boolean).join("\n\n");
    if (text) group.append(button("Copy", (event) => copy(text, event.currentTarget), { "aria-label": "Copy answer" }));
    if (config.feedback && outcome.trace_id && outcome.kind === "result") group.append(...feedbackButtons(this.record.vote, (value) => this.sendVote(value)));
    return group;
  }

  async sendVote(value) {
    const body = JSON.stringify({ trace_id: this.record.outcome.trace_id, value });
    const response = await fetch("./feedback", { method: "POST", headers: { "content-type": "application/json" }, body }).catch(() => null);
    if (!response?.ok) return announce("The feedback could not be sent. Try again.", true);
    this.record.vote = value;
    for (const vote of this.facts.querySelectorAll("[data-vote]")) vote.setAttribute("aria-pressed", String(Number(vote.dataset.vote) === value));
    this.save();
    announce("Thank you. Your feedback was sent.", true);
  }
}
