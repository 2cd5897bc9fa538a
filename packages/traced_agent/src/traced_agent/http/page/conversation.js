/* The conversation of this tab: the form, the session, and what a reload restores. */
const LONGEST_QUERY = 10000;
const config = JSON.parse(document.body.dataset.config);
const form = document.querySelector("#ask form");
const query = byId("query");
const send = byId("send");
const welcome = byId("welcome");
let turns = [];
let running = null;

/* For screen readers; `visible` also shows it for a few seconds. */
const announce = (text, visible = false) => {
  const status = byId("status");
  status.textContent = text;
  status.classList.toggle("toast", visible);
  if (visible) setTimeout(() => status.classList.remove("toast"), 4000);
};

const copy = async (text, pressed) => {
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (!copied) return announce("The browser did not allow copying. Select the text instead.", true);
  pressed.textContent = "Copied";
  announce("Copied.");
  setTimeout(() => { pressed.textContent = "Copy"; }, 2000);
};

/* The session's id lives as long as the tab. */
const sessionId = () => {
  let id = sessionStorage.getItem("session");
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("session", id);
  }
  return id;
};

/* Keeps the latest turns that fit into the tab's storage. */
const save = () => {
  for (let kept = turns; ; kept = kept.slice(Math.ceil(kept.length / 2))) {
    try { return sessionStorage.setItem("turns", JSON.stringify(kept.map(({ record }) => record))); } catch { if (!kept.length) return; }
  }
};

const restore = () => {
  let records = [];
  try { records = JSON.parse(sessionStorage.getItem("turns") ?? "[]"); } catch { return; }
  for (const record of records) {
    record.outcome ??= { kind: "unfinished" };
    record.seconds ??= 0;
    addTurn(record);
  }
  if (records.length) scrollToEnd();
};

const addTurn = (record) => {
  welcome.remove();
  const turn = new Turn(record, { save, retry, resume, startOver });
  turns.push(turn);
  return turn;
};

/* `more` are further fields of the request. */
const ask = async (text, more = {}) => {
  const turn = addTurn({ query: text, more, parts: [] });
  running = new AbortController();
  send.setAttribute("aria-label", "Stop");
  scrollToEnd();
  save();
  announce("The agent is working.");
  const current = running;
  const question = more.interrupt_responses ? {} : { query: text };
  await request({ ...question, ...more, session_id: sessionId() }, turn, current.signal);
  if (running === current) {
    running = null;
    send.setAttribute("aria-label", "Send");
  }
};

const retry = (turn) => {
  if (running) return;
  turn.card.remove();
  turns = turns.filter((other) => other !== turn);
  ask(turn.record.query, turn.record.more);
  query.focus();
};

/* Continues a run that stopped at interrupts. */
const resume = (responses) => {
  if (!running) ask(responses.map(({ response }) => response).join("\n"), { interrupt_responses: responses });
};

const startOver = (text = "") => {
  running?.abort();
  running = null;
  send.setAttribute("aria-label", "Send");
  turns = [];
  sessionStorage.removeItem("session");
  sessionStorage.removeItem("turns");
  byId("log").replaceChildren(welcome);
  query.value = text;
  queryChanged();
  announce("A new conversation has started.");
  query.focus();
};

/* The server counts characters after trimming, as code points. */
const excess = () => [...query.value.trim()].length - LONGEST_QUERY;

const queryChanged = () => {
  const tooLong = excess() > 0;
  byId("length").hidden = !tooLong;
  byId("length").textContent = tooLong ? `${(LONGEST_QUERY + excess()).toLocaleString("en")} of ${LONGEST_QUERY.toLocaleString("en")} characters: shorten the question.` : "";
  query.setAttribute("aria-invalid", String(tooLong));
  if (CSS.supports("field-sizing", "content")) return;
  query.style.height = "auto";
  query.style.height = `${query.scrollHeight + 2}px`;
};

const submit = () => {
  const text = query.value.trim();
  if (!text || excess() > 0) return;
  query.value = "";
  queryChanged();
  ask(text);
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) running.abort();
  else submit();
});
query.addEventListener("input", queryChanged);
query.addEventListener("keydown", (event) => {
  /* An Enter that ends the composition of a character has isComposing, or in Safari only the code 229. */
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  if (!running) submit();
});
addEventListener("keydown", (event) => { if (event.key === "Escape") running?.abort(); });
addEventListener("pagehide", save);
byId("log").addEventListener("click", ({ target }) => {
  const pressed = target.closest("button.copy");
  if (pressed) copy(pressed.parentElement.querySelector("pre").textContent, pressed);
});
byId("fresh").addEventListener("click", () => startOver());

for (const text of config.suggestions) {
  byId("suggestions").append(element("li", {}, button(text, () => { if (!running) { ask(text); query.focus(); } }, { dir: "auto" })));
}
const memory = config.sessions ? "remembers this conversation" : "each question is independent of the others";
byId("about").append(element("span", { text: `${config.model} ·` }), " ", element("span", { text: memory }));
restore();
