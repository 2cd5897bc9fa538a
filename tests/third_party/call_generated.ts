// Calls the URL with the types that openapi-typescript generated; prints what it got. It is type-checked before it runs.
// Standard input is a JSON object: the URL, a token, and for each error code what is changed to cause it.
import { text } from "node:stream/consumers";
import createClient from "openapi-fetch";
import type { components, paths } from "./agent_api.js";

interface Changes {
  query?: string;
  session_id?: string;
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  content?: string;
}
interface Told { url: string; token: string; errors: Record<string, Changes> }

const told = JSON.parse(await text(process.stdin)) as Told;
const baseUrl = told.url.replace(/\/$/, "");

function newClient(changes: Changes = {}) {
  // The second type selects the media type: with streaming on, the answer can also be text/event-stream.
  const client = createClient<paths, "application/json">({ baseUrl });
  client.use({
    async onRequest({ request }) {
      const headers = {
        authorization: `Bearer ${told.token}`, "content-type": "application/json", ...changes.headers,
      };
      const method = changes.method ?? request.method;
      const body = method === "GET" ? undefined : (changes.content ?? (await request.text()));
      return new Request(changes.path ? baseUrl + changes.path : request.url, { method, headers, body });
    },
  });
  return client;
}

async function errorCode(changes: Changes): Promise<string> {
  const { query = "Hello", session_id } = changes;
  const { error } = await newClient(changes).POST("/", { body: { query, session_id } });
  if (!error || !("error" in error)) throw new Error(`not an error of the function: ${JSON.stringify(error)}`);
  return error.error.code;
}

function answer(found: components["schemas"]["Answer"] | undefined) {
  if (!found) throw new Error("no answer");
  return found;
}

const errors: Record<string, string> = {};
for (const [code, changes] of Object.entries(told.errors)) errors[code] = await errorCode(changes);
const client = newClient();
const asked = answer((await client.POST("/", { body: { query: "What is 6 * 7?" } })).data);
const invoked = answer((await client.POST("/invocations", { body: { prompt: "What is 6 * 7?" } })).data);
const demo = answer((await client.POST("/", { body: { action: "run_demo" } })).data);
const healthy = (await client.GET("/health")).data;
const trace_id = asked.trace_id ?? "";
const scored = (await client.POST("/feedback", { body: { trace_id, value: 1, comment: "good" } })).data;
const responses: string[] = [asked.response, invoked.response, demo.response];
const tokens: number = asked.usage.totalTokens;
console.log(JSON.stringify({
  errors, responses, tokens, accepted: scored?.trace_id === trace_id, healthy: healthy?.status === "Healthy",
}));
