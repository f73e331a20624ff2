/** The public REST API, and nothing else: what the page does, a script can do. */

export class ApiError extends Error {
  /** problem: the RFC 9457 body as the service sent it, or one made of what went wrong on the way. */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

let key = sessionStorage.getItem("costmodel-key") || "";

/** The API key that requests carry, kept until the tab is closed. */
export function setKey(value) {
  key = value;
  sessionStorage.setItem("costmodel-key", value);
}

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (key) headers.authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ title: "The service does not answer", detail: `The service does not answer: ${error.message}` });
  }
  const text = await response.text();
  const body = text && /json/.test(response.headers.get("content-type") || "") ? JSON.parse(text) : null;
  if (!response.ok) throw new ApiError(body || { title: response.statusText, status: response.status, detail: `The service answered ${response.status}.` });
  return body;
}

export const get = (path, signal) => request(path, { signal });

export function post(path, body, signal) {
  return request(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, signal });
}

export const remove = (path) => request(path, { method: "DELETE" });

const remembered = new Map();

/** A GET whose answer is kept until the page is loaded again. */
export function once(path) {
  if (!remembered.has(path)) remembered.set(path, get(path).catch((error) => { remembered.delete(path); throw error; }));
  return remembered.get(path);
}

export const forget = (path) => remembered.delete(path);

/** Predictions of many inputs on one device, `chunk` at a time: results in order, `step(done)` after each. */
export async function predictMany(kind, device, targets, inputs, { signal, step, chunk = 500 }) {
  const results = [];
  for (let start = 0; start < inputs.length; start += chunk) {
    const body = { device, targets, inputs: inputs.slice(start, start + chunk) };
    results.push(...(await post(`v1/predict/${kind}`, body, signal)).results);
    step(results.length);
  }
  return results;
}
