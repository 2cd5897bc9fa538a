// Reads a streamed answer with each of npm's readers in turn; prints the events of each as JSON.
// Arguments: the URL, the query. The readers stay open for a while after their last event: EventSource reconnects.
import { setTimeout as sleep } from "node:timers/promises";
import { EventSource } from "eventsource";
import { EventSourceParserStream } from "eventsource-parser/stream";

const [url, query] = process.argv.slice(2);
const KEPT_OPEN_MS = 3000;
const NAMES = ["start", "text", "tool", "agent", "reset", "result", "error"];
const request = {
  method: "POST",
  headers: { accept: "text/event-stream", "content-type": "application/json" },
  body: JSON.stringify({ query }),
};

async function withParser() {
  const response = await fetch(url, request);
  const stream = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const events = [];
  for await (const { event, data } of stream) events.push([event, JSON.parse(data)]);
  return events;
}

function withEventSource() {
  const source = new EventSource(url, { fetch: (address, init) => fetch(address, { ...init, ...request }) });
  const events = [];
  return new Promise((resolve) => {
    for (const name of NAMES) {
      source.addEventListener(name, ({ data }) => {
        if (data === undefined) return; // EventSource's own event "error": the connection ended
        events.push([name, JSON.parse(data)]);
        if (name === "result" || name === "error") resolve(events);
      });
    }
  });
}

const found = { "eventsource-parser": await withParser(), eventsource: await withEventSource() };
await sleep(KEPT_OPEN_MS);
console.log(JSON.stringify(found));
process.exit();
