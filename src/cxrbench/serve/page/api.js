// The server's API: a film and fields in, answers out; every refusal says what is wrong and what to do.

let token = "";

export class Refused extends Error {
  constructor(status, { what, remedy }) {
    super(what);
    Object.assign(this, { status, what, remedy });
  }
}

export function useToken(text) {
  token = text;
}

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { what: "The server does not answer", remedy: "see whether it runs, then try again" });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(response.status, body.error ?? { what: `The server answered ${response.status}`, remedy: "see its log" });
}

async function send(path, file, fields, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== "" && value != null) form.append(name, value);
  form.append("film", file, "film"); // the file's own name may be a patient's
  return ask(path, { method: "POST", body: form, signal });
}

export const bundles = async () => (await ask("/v1/bundles")).json();
export const card = async (name) => (await ask(`/v1/bundles/${encodeURIComponent(name)}/card`)).text();
export const predict = async (file, fields, signal) => (await send("/v1/predict", file, fields, signal)).json();

export async function film(file, signal) {
  const response = await send("/v1/film", file, {}, signal);
  const picture = await createImageBitmap(await response.blob());
  return { picture, size: response.headers.get("Cxrbench-Film-Size") };
}

export async function heat(file, fields, signal) {
  const response = await send("/v1/explain", file, fields, signal);
  const map = await createImageBitmap(await response.blob());
  return {
    map,
    hasEvidence: response.headers.get("Cxrbench-Evidence") === "some",
    method: response.headers.get("Cxrbench-Method"),
  };
}
