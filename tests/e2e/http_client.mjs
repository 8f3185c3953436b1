// A client that knows nothing of Peiling but what its OpenAPI document says: it finds operations by their ids, and checks every answer against
// the schemas and headers that the document promises.
import { createRequire } from "node:module";

const require = createRequire(new URL("../lint/openapi/package.json", import.meta.url));
const Ajv = require("ajv");
const addFormats = require("ajv-formats");

// Says what a schema leaves open: what it does not name is not there.
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return copy.type === "object" && copy.properties && !("additionalProperties" in copy) ? { ...copy, additionalProperties: false } : copy;
}

export class Problem extends Error {
  constructor(status, body) {
    super(`${status} ${body.reason}: ${body.detail}`);
    this.status = status;
    this.body = body;
  }
}

export class Client {
  // Ids of the operations that were called.
  called = new Set();

  static async connect(origin, key) {
    const address = new URL("/v1/openapi.json", origin);
    const response = await fetch(address);
    const client = new Client();
    client.key = key;
    client.document = await response.json();
    client.base = new URL(new URL(client.document.servers[0].url.replace("{host}", "host")).pathname + "/", origin);
    client.ajv = new Ajv({ strict: false, allErrors: true, formats: { uint64: true } });
    addFormats(client.ajv);
    client.ajv.addSchema(closed({ components: { schemas: client.document.components.schemas } }), "openapi");
    await client.check("getOpenApi", response);
    return client;
  }

  // The same with another credential, or none.
  as(key) {
    return Object.assign(Object.create(this), { key });
  }

  // All operations, as { id, method, path, parameters, … }.
  operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ ...operation, id: operation.operationId, method: method.toUpperCase(), path })));
  }

  operation(id) {
    const operation = this.operations().find((one) => one.id === id);
    if (!operation) throw new Error(`the document has no operation ${id}`);
    return operation;
  }

  resolve(value) {
    if (!value.$ref) return value;
    return value.$ref.slice(2).split("/").reduce((at, name) => at[name], this.document);
  }

  validate(schema, value, what) {
    const validator = this.ajv.compile(JSON.parse(JSON.stringify(closed(schema)).replaceAll('"#/', '"openapi#/')));
    if (!validator(value)) throw new Error(`${what} is not as the document says: ${this.ajv.errorsText(validator.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
  }

  // Status, headers and type of the answer are among those that the document names; gives the schema of its body.
  async check(id, response) {
    this.called.add(id);
    const what = `${id} ${response.status}`;
    const said = this.operation(id).responses[response.status];
    if (!said) throw new Error(`${what}: the document has no such answer: ${await response.text()}`);
    for (const name of ["API-Version", ...Object.keys(this.resolve(said).headers ?? {})]) {
      if (["ETag", "Retry-After"].includes(name)) continue; // Where there is one.
      if (!response.headers.has(name)) throw new Error(`${what} lacks the header ${name}`);
    }
    if (response.headers.get("API-Version") !== this.document.info.version) throw new Error(`${what}: another API-Version than the document's`);
    if (response.status === 304) return undefined;
    const type = response.headers.get("content-type")?.split(";")[0];
    const content = this.resolve(said).content[type];
    if (!content) throw new Error(`${what}: the document has no answer of type ${type}`);
    return content.schema;
  }

  // The answer to one call, which may be a problem. `values` are those of path, query and headers by the names of the document.
  async fetch(id, values = {}, { body, accept, signal } = {}) {
    const operation = this.operation(id);
    const query = new URLSearchParams();
    const headers = this.key ? { authorization: `Bearer ${this.key}` } : {};
    let path = operation.path;
    const unknown = new Set(Object.keys(values));
    for (const parameter of (operation.parameters ?? []).map((one) => this.resolve(one))) {
      unknown.delete(parameter.name);
      const value = values[parameter.name];
      if (value === undefined) {
        if (parameter.required) throw new Error(`${id}: ${parameter.name} is required`);
      } else if (parameter.in === "path") {
        path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
      } else if (parameter.in === "query") {
        for (const one of [value].flat()) query.append(parameter.name, one);
      } else {
        headers[parameter.name] = value;
      }
    }
    if (unknown.size > 0) throw new Error(`${id} has no parameters ${[...unknown]}`);
    if (accept) headers.accept = accept;
    if (operation.requestBody) headers["content-type"] = Object.keys(operation.requestBody.content)[0];
    const url = new URL(path.slice(1), this.base);
    url.search = query;
    return fetch(url, { method: operation.method, headers, body, signal });
  }

  // One answer; throws a Problem when the call is refused.
  async call(id, values, body) {
    if (body !== undefined) this.validate(this.operation(id).requestBody.content["application/json"].schema, body, `request of ${id}`);
    const response = await this.fetch(id, values, { body: body && JSON.stringify(body) });
    const schema = await this.check(id, response);
    if (response.status === 304) return undefined;
    const answer = await response.json();
    this.validate(schema, answer, `${id} ${response.status}`);
    if (!response.ok) throw new Problem(response.status, answer);
    return answer;
  }

  // Messages of a stream, as they come.
  async *stream(id, values, { lines, accept = "application/x-ndjson" } = {}) {
    const abort = new AbortController();
    const body = lines?.map((line) => JSON.stringify(line) + "\n").join("");
    const response = await this.fetch(id, values, { body, accept, signal: abort.signal });
    const schema = await this.check(id, response);
    if (!response.ok) throw new Problem(response.status, await response.json());
    try {
      let text = "";
      const decoder = new TextDecoder();
      for await (const bytes of response.body) {
        text += decoder.decode(bytes, { stream: true });
        for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
          const message = messageOf(text.slice(0, end), accept);
          if (message === undefined) continue;
          this.validate(schema, message, `message of ${id}`);
          if (message.status >= 400 && message.reason) throw new Problem(message.status, message);
          yield message;
        }
      }
    } finally {
      abort.abort();
    }
  }

  // What all pages of a list have under the name.
  async pages(id, name, values = {}) {
    const items = [];
    for (let pageToken; ; ) {
      const page = await this.call(id, { ...values, pageToken });
      items.push(...page[name]);
      pageToken = page.nextPageToken;
      if (!pageToken) return items;
    }
  }
}

// What a line of a stream says; undefined when it says nothing to us.
function messageOf(line, type) {
  if (type === "application/x-ndjson") return line === "" ? undefined : JSON.parse(line);
  return line.startsWith("data:") ? JSON.parse(line.slice(5)) : undefined;
}
