/* Sends a question and reads the answer, as server-sent events or as one JSON object. */
async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.match(/^(\w*): ?(.*)$/)?.slice(1) ?? ["", ""]));
      if (fields.event) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

/* A reload breaks the connection too, and that is not an error. */
let leaving = false;
addEventListener("beforeunload", () => { leaving = true; setTimeout(() => { leaving = false; }, 3000); });

const failure = (code, message) => ({ error: { code, message } });

/* Calls `turn[event](data)` for every event. Ends with exactly one of result, error and stopped. */
async function request(body, turn, signal) {
  try {
    const response = await fetch("./", {
      method: "POST", signal, cache: "no-store",
      headers: { "content-type": "application/json", accept: "text/event-stream, application/json;q=0.9" },
      body: JSON.stringify(body),
    });
    if (response.headers.has("x-local-fake-model")) turn.fakeModel();
    if ((response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      for await (const [event, data] of readEvents(response.body)) if (["text", "tool", "reset", "result", "error"].includes(event)) turn[event](data);
    } else {
      const answer = await response.json().catch(() => null);
      if (answer?.success) turn.result(answer);
      else turn.error(answer?.error ? answer : failure("no_answer", response.status === 429
        ? "Too many questions at the same time. Try again in a moment." : `The function sent no answer (HTTP ${response.status}).`));
    }
    if (!turn.ended) turn.error(failure("cut_short", "The answer ended before it was complete. Try again."));
  } catch (error) {
    if (turn.ended || leaving) return;
    if (error.name === "AbortError") turn.stopped();
    else turn.error(failure("offline", "The connection was lost. Check the network and try again."));
  }
}
