/* The parts of an answer besides its text: tool calls, data, citations, interrupts, facts and errors. */
const TOOL_STATES = { started: "working", finished: "done", failed: "failed", stopped: "stopped" };
const ERROR_TITLES = {
  deadline_exceeded: "The answer took too long", invalid_request: "The question was rejected", model_access_denied: "The model is not available",
  model_throttled: "The model is busy", session_full: "This conversation is full",
  too_large: "The question is too long",
};
const BUSY = "The server has not finished the previous question of this conversation. Try again in a few seconds, or start over.";
const RETRYABLE = ["cut_short", "deadline_exceeded", "internal_error", "model_error", "model_throttled", "no_answer", "offline", "session_busy"];

const asString = (value) => (typeof value === "string" ? value : formattedJson(value));

/* One tool call. Arguments and result are shown on demand, if the server sent them. */
const toolCall = ({ agent, name, state, input, output }) => {
  const label = [element("code", { text: agent ? `${agent}: ${name}` : name }), ` ${TOOL_STATES[state] ?? state}`];
  const details = [["Arguments", input], ["Result", output]].filter(([, value]) => value !== undefined);
  if (!details.length) return element("p", { name: "tool", "data-state": state }, ...label);
  return element("details", { name: "tool", "data-state": state }, element("summary", {}, ...label),
    ...details.flatMap(([title, value]) => [element("p", { name: "label", text: title }), codeBlock(asString(value))]));
};

const dataSection = (data) => element("section", { name: "data", "aria-label": "Data" }, element("p", { name: "label", text: "Data" }), codeBlock(formattedJson(data), "json"));

const citationList = (citations) => element("section", { name: "citations", "aria-label": "Sources" },
  element("p", { name: "label", text: "Sources" }),
  element("ol", {}, ...citations.map(({ text, source, score }) => element("li", { dir: "auto" },
    element("span", { name: "quoted", text: text ?? "" }), " ",
    safeAddress(source) ? link(source, source) : element("span", { name: "source", text: source ?? "" }),
    typeof score === "number" ? element("span", { name: "score", text: ` score ${score.toFixed(2)}` }) : ""))));

/* What the agent needs before it continues. With `send`, a form takes one response for each interrupt. */
const interruptList = (interrupts, send) => {
  const fields = interrupts.map(() => element("input", { autocomplete: "off", dir: "auto" }));
  const items = interrupts.map(({ name, reason }, index) => element("li", { dir: "auto" }, element("label", {},
    element("code", { text: name ?? "" }), reason == null ? "" : ` ${asString(reason)}`, ...(send ? [fields[index]] : []))));
  const list = element(send ? "form" : "section", { name: "interrupts", "aria-label": "Input needed" },
    element("p", { name: "label", text: "The agent needs your input before it continues" }),
    element("ul", {}, ...items), ...(send ? [element("button", { text: "Continue" })] : []));
  if (send) list.addEventListener("submit", (event) => { event.preventDefault(); send(interrupts.map(({ id }, index) => ({ id, response: fields[index].value }))); });
  return list;
};

const duration = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`);

/* Short facts in the order in which they are read: time, tokens, stop reason, run. */
const factsOf = ({ usage, stop_reason: stop, run_id: run, success }, seconds) => {
  const { inputTokens: sent, outputTokens: received, totalTokens: all } = usage ?? {};
  return [
    duration(seconds),
    all != null && `${all.toLocaleString("en")} tokens (${(sent ?? 0).toLocaleString("en")} in, ${(received ?? 0).toLocaleString("en")} out)`,
    stop && stop !== "end_turn" && `stopped: ${stop.replaceAll("_", " ")}`,
    run && !success && `run ${run}`,
  ].filter(Boolean).map((text) => element("span", { text }));
};

const traceLink = ({ trace_url: address }) => (/^https?:/i.test(address ?? "") && safeAddress(address) ? [link(address, "View trace")] : []);

const fakeModelLabel = () => element("span", { name: "fake" }, "Fake model: this answer is not from a real model. Use ", element("code", { text: "hatch run local --bedrock" }), ".");

const errorBox = ({ code, message }, actions) => element("div", { name: "problem" },
  element("b", { text: ERROR_TITLES[code] ?? "The agent could not answer" }),
  element("p", { text: message, dir: "auto" }), ...actions);

const noteBox = (text, actions) => element("div", { name: "note" }, element("p", { text }), ...actions);

/* Thumbs up and down. A later vote replaces an earlier one. */
const feedbackButtons = (vote, send) => [[1, "Good answer"], [-1, "Bad answer"]].map(([value, label]) => {
  const created = button("", () => send(value), { "aria-label": label, title: label, "aria-pressed": String(vote === value), "data-vote": value });
  created.append(byId("thumb").content.cloneNode(true));
  return created;
});
