// Runs the cases of one client, and prints a JSON line for each: {"case", "ok", "seconds", "detail"}.
const fs = require("fs");
const util = require("util");

const env = JSON.parse(process.env.INTEROP_FACTS);
env.key = fs.readFileSync(env.keyFile, "utf8");

function assert(holds, message) {
  if (!holds) throw new Error(message);
}

function equal(found, expected) {
  assert(util.isDeepStrictEqual(found, expected), `${util.inspect(found)} is not ${util.inspect(expected)}`);
}

// The call fails, and says why in these words or by this code.
async function refused(call, words) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    const data = error.response ? JSON.stringify(error.response.data) : "";
    const said = `${error.errorCode || ""} ${error.name || ""}: ${error.message || error} ${data}`;
    return assert(words.test(said), `refused, but in other words: ${said}`);
  }
  throw new Error(`not refused: ${util.inspect(answer).slice(0, 200)}`);
}

// What another user does in the org meanwhile, seconds ago.
async function meanwhile(method, path, body, secondsAgo = 0) {
  const options = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
  const response = await fetch(`${env.control}/${path}?secondsAgo=${secondsAgo}`, options);
  const text = await response.text();
  assert(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

function within(seconds, call) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([call(), late]).finally(() => clearTimeout(timer));
}

async function run(cases) {
  // what an abandoned call still throws belongs to its case
  process.on("unhandledRejection", () => {});
  process.on("uncaughtException", () => {});
  const only = process.argv.slice(2);
  for (const [name, call] of Object.entries(cases)) {
    if (only.length && !only.includes(name)) continue;
    const began = Date.now();
    let detail = "";
    try {
      await within(20, call);
    } catch (error) {
      const data = error.response ? JSON.stringify(error.response.data) : "";
      detail = `${error.errorCode || error.name || ""}: ${error.message || util.inspect(error)} ${data}`;
    }
    const line = { case: name, ok: detail === "", seconds: (Date.now() - began) / 1000, detail: detail.slice(0, 400) };
    fs.writeSync(1, `${JSON.stringify(line)}\n`);
  }
  process.exit(0);
}

module.exports = { assert, equal, meanwhile, refused, run, env };
