// jsforce, as its documentation shows it, one case per API; prints a JSON line per case (see cases.js).
const crypto = require("crypto");
const zlib = require("zlib");
const jsforce = require("jsforce");
const { assert, equal, meanwhile, refused, run, env } = require("./cases");

const version = "60.0";
const login = "https://login.salesforce.com";
const oauth2 = { clientId: "interop", clientSecret: "interop-secret", redirectUri: "https://app.example/done", loginUrl: env.domain };

async function signedIn(user = "admin@interop.example") {
  const connection = new jsforce.Connection({ loginUrl: login, version });
  connection._logger.setLogLevel("NONE");
  await connection.login(user, "secret");
  return connection;
}

async function records(stream) {
  const found = [];
  stream.on("record", (record) => found.push(record));
  await new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
  return found;
}

// A zip whose files are not compressed.
function stored(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt32LE(zlib.crc32(content), 10);
    head.writeUInt32LE(content.length, 14);
    head.writeUInt32LE(content.length, 18);
    head.writeUInt16LE(name.length, 22);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    head.copy(entry, 6);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt32LE(at, 42);
    parts.push(Buffer.from("PK\x03\x04"), head, Buffer.from(name), content);
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + content.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

// A person's browser, as far as the web-server flow needs one: follows redirects within the org, fills in what forms ask for.
async function consent(url) {
  const cookies = [];
  let body;
  for (let step = 0; step < 10; step += 1) {
    const response = await fetch(url, { redirect: "manual", method: body ? "POST" : "GET", body, headers: { cookie: cookies.join("; "), ...(body ? { "content-type": "application/x-www-form-urlencoded" } : {}) } });
    cookies.push(...response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]));
    const location = response.headers.get("location");
    body = undefined;
    if (location) {
      url = new URL(location, url).href;
      if (url.startsWith(oauth2.redirectUri)) return new URL(url).searchParams;
      continue;
    }
    const page = await response.text();
    const form = page.match(/<form[^>]*>[\s\S]*?<\/form>/i);
    assert(form, `no form in the page: ${page.slice(0, 200)}`);
    const action = form[0].match(/action="([^"]*)"/i);
    const decoded = (text) => text.replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
    const fields = new URLSearchParams();
    for (const [tag] of form[0].matchAll(/<input[^>]*>/gi)) {
      const attribute = (name) => decoded((tag.match(new RegExp(`\\b${name}="([^"]*)"`, "i")) || [])[1] || "");
      const name = attribute("name");
      if (/user/i.test(name)) fields.set(name, "admin@interop.example");
      else if (/pw|pass/i.test(name)) fields.set(name, "secret");
      else if (name && !/deny|cancel/i.test(name)) fields.set(name, attribute("value"));
    }
    for (const [tag] of form[0].matchAll(/<button[^>]*>/gi)) {
      const name = (tag.match(/\bname="([^"]*)"/i) || [])[1];
      const value = (tag.match(/\bvalue="([^"]*)"/i) || [])[1] || "";
      if (name && !/deny|cancel/i.test(name + value)) fields.set(name, value);
    }
    url = new URL(action && action[1] ? decoded(action[1]) : "", url).href;
    body = fields;
  }
  throw new Error("no end of redirects");
}

const cases = {
  "sign-in: SOAP": async () => {
    const connection = await signedIn();
    equal(connection.instanceUrl.startsWith("https://"), true);
    equal((await connection.identity()).username, "admin@interop.example");
  },
  "sign-in: user name and password": async () => {
    const connection = new jsforce.Connection({ oauth2, version });
    await connection.login("admin@interop.example", "secret");
    equal((await connection.query("SELECT Id FROM Organization")).totalSize, 1);
  },
  "sign-in: client credentials": async () => {
    const connection = new jsforce.Connection({ oauth2, version });
    const user = await connection.authorize({ grant_type: "client_credentials" });
    equal(user.organizationId.slice(0, 3), "00D");
    equal((await connection.query("SELECT Id FROM Organization")).totalSize, 1);
  },
  "sign-in: JWT bearer": async () => {
    const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
    const claims = { iss: "interop", sub: "admin@interop.example", aud: login, exp: Math.floor(Date.now() / 1000) + 120 };
    const text = `${part({ alg: "RS256" })}.${part(claims)}`;
    const assertion = `${text}.${crypto.sign("RSA-SHA256", Buffer.from(text), env.key).toString("base64url")}`;
    const connection = new jsforce.Connection({ oauth2: { loginUrl: login }, version });
    await connection.authorize({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    equal((await connection.query("SELECT Id FROM Organization")).totalSize, 1);
  },
  "sign-in: web server, PKCE": async () => {
    const flow = new jsforce.OAuth2({ ...oauth2, useVerifier: true });
    const connection = new jsforce.Connection({ oauth2: flow, version });
    const answer = await consent(flow.getAuthorizationUrl({ scope: "api refresh_token", state: "a state" }));
    equal(answer.get("state"), "a state");
    await connection.authorize(answer.get("code"));
    assert(connection.refreshToken, "no refresh token");
    equal((await connection.query("SELECT Id FROM Organization")).totalSize, 1);
  },
  "sign-in: refresh token": async () => {
    const flow = new jsforce.OAuth2(oauth2);
    const answer = await consent(flow.getAuthorizationUrl({ scope: "api refresh_token" }));
    const token = await flow.requestToken(answer.get("code"));
    const connection = new jsforce.Connection({ oauth2, version, instanceUrl: token.instance_url, accessToken: `${token.access_token}x`, refreshToken: token.refresh_token });
    let refreshed = 0;
    connection.on("refresh", () => (refreshed += 1));
    equal((await connection.query("SELECT Id FROM Organization")).totalSize, 1);
    equal(refreshed, 1);
    await fetch(new URL("/_simulator/sessions/end", env.control), { method: "POST" });
    const found = await connection.query("SELECT Id, Name FROM Account", { autoFetch: true, maxFetch: 100000 });
    equal([found.records.length, refreshed], [env.accounts, 2]);
  },
  "sign-in: refused": async () => {
    await refused(() => new jsforce.Connection({ loginUrl: login, version }).login("admin@interop.example", "wrong"), /INVALID_LOGIN/);
    await refused(() => new jsforce.Connection({ oauth2, version }).login("admin@interop.example", "wrong"), /authentication failure/);
    await refused(() => new jsforce.Connection({ oauth2: { ...oauth2, clientSecret: "wrong" }, version }).authorize({ grant_type: "client_credentials" }), /invalid client/i);
    const connection = new jsforce.Connection({ instanceUrl: env.domain, accessToken: "00D!nothing", version });
    await refused(() => connection.query("SELECT Id FROM Account"), /INVALID_SESSION_ID/);
  },
  "sign-in: sandbox": async () => {
    const connection = new jsforce.Connection({ loginUrl: "https://test.salesforce.com", version });
    await connection.login("admin@interop.example.dev", "secret");
    equal(connection.instanceUrl, env.sandbox);
    equal((await connection.query("SELECT IsSandbox FROM Organization")).records[0].IsSandbox, true);
    await refused(() => new jsforce.Connection({ loginUrl: "https://test.salesforce.com", version }).login("admin@interop.example", "secret"), /INVALID_LOGIN/);
    const own = new jsforce.Connection({ oauth2: { ...oauth2, loginUrl: env.sandbox }, version });
    await own.authorize({ grant_type: "client_credentials" });
    equal((await own.query("SELECT IsSandbox FROM Organization")).records[0].IsSandbox, true);
  },
  "sign out": async () => {
    const connection = new jsforce.Connection({ oauth2, version });
    await connection.login("admin@interop.example", "secret");
    const { accessToken, instanceUrl } = connection;
    await connection.logout();
    await refused(() => new jsforce.Connection({ instanceUrl, accessToken, version }).query("SELECT Id FROM Account"), /INVALID_SESSION_ID/);
  },
  "sign out by SOAP": async () => {
    const connection = await signedIn();
    const { accessToken, instanceUrl } = connection;
    await connection.logout();
    await refused(() => new jsforce.Connection({ instanceUrl, accessToken, version }).query("SELECT Id FROM Account"), /INVALID_SESSION_ID/);
  },
  identity: async () => {
    const first = await signedIn();
    const connection = new jsforce.Connection({ instanceUrl: first.instanceUrl, accessToken: first.accessToken, version });
    const who = await connection.identity(); // by way of the resources of the version
    equal(who.username, "admin@interop.example");
    equal(who.organization_id.length, 18);
    assert(who.urls.rest.includes("/services/data/"), who.urls.rest);
  },
  "versions, limits": async () => {
    const connection = await signedIn();
    const versions = await connection.request("/services/data");
    equal(versions[0].version, "31.0");
    const limits = await connection.limits();
    assert(limits.DailyApiRequests.Remaining < limits.DailyApiRequests.Max, JSON.stringify(limits.DailyApiRequests));
    assert(connection.limitInfo.apiUsage.used > 0, JSON.stringify(connection.limitInfo));
    const counted = await connection.request(`/services/data/v${version}/limits/recordCount?sObjects=Account`);
    equal(counted.sObjects[0].name, "Account");
  },
  "describeGlobal": async () => {
    const { sobjects } = await (await signedIn()).describeGlobal();
    equal(sobjects.find((object) => object.name === "Contact").keyPrefix, "003");
  },
  "describe": async () => {
    const connection = await signedIn("reader@interop.example");
    const contact = await connection.sobject("Contact").describe();
    equal(contact.fields.find((field) => field.name === "AccountId").referenceTo, ["Account"]);
    equal(contact.fields.some((field) => field.name === "Birthdate"), false);
    await refused(() => connection.sobject("Nothing__c").describe(), /NOT_FOUND/);
    equal((await connection.describe$("Contact")).name, "Contact");
  },
  "schema changed meanwhile": async () => {
    const connection = await signedIn("reader@interop.example");
    const names = async () => (await connection.sobject("Contact").describe()).fields.map((field) => field.name);
    await meanwhile("POST", "schema", { do: "addField", object: "Contact", field: "Late__c", definition: { type: "string", length: 20 } });
    assert((await names()).includes("Late__c"), "the field is not there");
    equal((await connection.query("SELECT Late__c FROM Contact")).records.map((record) => record.Late__c), [null, null, null]);
    await meanwhile("POST", "users/reader@interop.example/hide", { fields: ["Contact.Late__c"] });
    await refused(() => connection.query("SELECT Late__c FROM Contact"), /INVALID_FIELD/);
    await meanwhile("POST", "schema", { do: "removeField", object: "Contact", field: "Late__c" });
    assert(!(await names()).includes("Late__c"), "the field is still there");
  },
  "query": async () => {
    const connection = await signedIn();
    const found = await connection.query("SELECT Id, Name, AnnualRevenue, NumberOfEmployees, BillingAddress, CreatedDate, Description FROM Account WHERE Name = 'Acme'");
    const [acme] = found.records;
    equal([found.totalSize, found.done, acme.AnnualRevenue, acme.NumberOfEmployees], [1, true, 1250000.5, 42]);
    equal(acme.BillingAddress.city, "Berlin");
    equal(acme.Description, 'quotes ", commas, and\na second line: naïve 🦀');
    const contacts = await connection.sobject("Contact").find({ "Account.Name": "Acme" }, "Id, LastName, Account.Name").sort({ LastName: 1 }).execute();
    equal(contacts.map((contact) => contact.LastName), ["#N/A", "Hopper", "Turing"]);
    equal(contacts[0].Account.Name, "Acme");
    equal((await connection.query("SELECT count() FROM Contact")).totalSize, 3);
    equal(await connection.sobject("Contact").count({ LastName: { $like: "T%" } }), 1);
  },
  "query: pages": async () => {
    const connection = await signedIn();
    const all = await connection.query("SELECT Id, Name FROM Account", { autoFetch: true, maxFetch: 100000 });
    equal(all.records.length, env.accounts);
    equal(new Set(all.records.map((record) => record.Id)).size, env.accounts);
    const first = await connection.query("SELECT Id FROM Account");
    const second = await connection.queryMore(first.nextRecordsUrl);
    assert(second.records.length > 0 && second.totalSize === env.accounts, "no second page");
    let seen = 0;
    const query = connection.query("SELECT Id FROM Account");
    await new Promise((resolve, reject) => query.on("record", () => (seen += 1)).on("end", resolve).on("error", reject).run({ autoFetch: true, maxFetch: 100000 }));
    equal(seen, env.accounts);
  },
  "queryAll": async () => {
    const connection = await signedIn();
    const found = await connection.query("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'", { scanAll: true });
    equal(found.records.map((record) => record.IsDeleted), [true]);
    equal((await connection.query("SELECT Id FROM Account WHERE Name = 'Gone'")).totalSize, 0);
  },
  "query: sub-select": async () => {
    const connection = await signedIn();
    const found = await connection.query("SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name LIKE 'Acme%' ORDER BY Name");
    equal(found.records[0].Contacts.records.map((contact) => contact.LastName), ["#N/A", "Hopper", "Turing"]);
    equal(found.records[1].Contacts, null);
    const built = await connection.sobject("Account").find({ Name: "Acme" }).select("Name").include("Contacts").select("LastName").end().execute();
    equal(built[0].Contacts.records.length, 3);
  },
  "query: refused": async () => {
    const connection = await signedIn("reader@interop.example");
    await refused(() => connection.query("SELECT Birthdate FROM Contact"), /INVALID_FIELD/);
    await refused(() => connection.query("SELECT Id FROM Nothing__c"), /INVALID_TYPE/);
    await refused(() => connection.query("SELECT Id FROM Contact WHERE"), /MALFORMED_QUERY/);
    await refused(() => connection.queryMore("01g000000000000AAA-2000"), /INVALID_QUERY_LOCATOR/);
  },
  "record by id": async () => {
    const connection = await signedIn();
    const { records: [{ Id }] } = await connection.query("SELECT Id FROM Contact WHERE LastName = 'Hopper'");
    const contact = await connection.sobject("Contact").retrieve(Id);
    equal([contact.FirstName, contact.Birthdate, contact.attributes.type], ["Grace", "1906-12-09", "Contact"]);
    await refused(() => connection.sobject("Contact").retrieve("003000000000000AAA"), /NOT_FOUND/);
  },
  "records by ids": async () => {
    const connection = await signedIn();
    const { records } = await connection.query("SELECT Id, LastName FROM Contact ORDER BY LastName");
    const found = await connection.sobject("Contact").retrieve(records.map((record) => record.Id), { fields: ["Id", "LastName"] });
    equal(found.map((contact) => contact.LastName), records.map((record) => record.LastName));
  },
  "blob": async () => {
    const connection = await signedIn();
    const { records: [{ Id }] } = await connection.query("SELECT Id FROM Attachment");
    const parts = [];
    for await (const part of connection.sobject("Attachment").record(Id).blob("Body")) parts.push(part);
    equal(crypto.createHash("sha256").update(Buffer.concat(parts)).digest("hex"), env.blobSha256);
  },
  "updated, deleted": async () => {
    const connection = await signedIn();
    const { id } = await meanwhile("POST", "records/Account", { Name: "For a while" }, 600);
    const now = new Date();
    const ago = new Date(now - 3600 * 1000);
    const updated = await connection.updated("Account", ago, now).finally(() => meanwhile("DELETE", `records/${id}`, undefined, 300));
    assert(updated.ids.includes(id) && updated.latestDateCovered, JSON.stringify(updated).slice(0, 300));
    const deleted = await connection.sobject("Account").deleted(ago, now);
    assert(deleted.deletedRecords.some((record) => record.id === id && record.deletedDate) && deleted.earliestDateAvailable, JSON.stringify(deleted).slice(0, 300));
    equal((await connection.updated("Account", ago, now)).ids.includes(id), false);
    await refused(() => connection.deleted("Account", now, ago), /INVALID_REPLICATION_DATE/);
  },
  "recent": async () => {
    const connection = await signedIn();
    const { records: [{ Id }] } = await connection.query("SELECT Id FROM Contact WHERE LastName = 'Hopper'");
    await connection.sobject("Contact").retrieve(Id);
    assert(Array.isArray(await connection.recent()), "not a list");
    assert(Array.isArray(await connection.sobject("Contact").recent()), "not a list");
  },
  "search": async () => {
    const found = await (await signedIn()).search("FIND {Hopper} IN ALL FIELDS RETURNING Contact(Id, LastName)");
    equal(found.searchRecords.map((record) => record.LastName), ["Hopper"]);
  },
  "composite": async () => {
    const connection = await signedIn();
    const soql = (text) => `/services/data/v${version}/query?q=${encodeURIComponent(text)}`;
    const { compositeResponse } = await connection.requestPost("/composite", {
      compositeRequest: [
        { method: "GET", url: soql("SELECT Id, AccountId FROM Contact WHERE LastName = 'Hopper'"), referenceId: "one" },
        { method: "GET", url: `/services/data/v${version}/sobjects/Account/@{one.records[0].AccountId}?fields=Name`, referenceId: "two" },
      ],
    });
    equal(compositeResponse.map((part) => part.httpStatusCode), [200, 200]);
    equal(compositeResponse[1].body.Name, "Acme");
    const batch = await connection.requestPost("/composite/batch", { batchRequests: [{ method: "GET", url: `v${version}/limits` }, { method: "GET", url: `v${version}/sobjects/Nothing` }] });
    equal([batch.hasErrors, batch.results.map((part) => part.statusCode)], [true, [200, 404]]);
  },
  "Bulk 1.0 query": async () => {
    const connection = await signedIn();
    connection.bulk.pollInterval = 100;
    const found = await records(await connection.bulk.query("SELECT Id, Name, Description FROM Account"));
    equal(found.length, env.accounts);
    equal(found.find((record) => record.Name === "Acme").Description, 'quotes ", commas, and\na second line: naïve 🦀');
    const job = connection.bulk.createJob("Account", "queryAll");
    const batch = job.createBatch();
    batch.execute("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'");
    batch.on("queue", () => batch.poll(100, 20000));
    const [{ id }] = await new Promise((resolve, reject) => batch.on("response", resolve).on("error", reject));
    equal((await records(batch.result(id))).map((record) => record.IsDeleted), ["true"]);
    equal((await job.close()).state, "Closed");
    equal((await job.check()).numberBatchesCompleted, "1");
  },
  "Bulk 1.0: refused": async () => {
    const connection = await signedIn();
    connection.bulk.pollInterval = 100;
    const stranger = new jsforce.Connection({ instanceUrl: env.domain, accessToken: "00D!nothing", version });
    await refused(async () => records(await stranger.bulk.query("SELECT Id FROM Account")), /InvalidSessionId/);
    await refused(async () => records(await connection.bulk.query("SELECT Nothing FROM Account")), /INVALID_FIELD|InvalidBatch/);
  },
  "Bulk 2.0 query": async () => {
    const connection = await signedIn();
    connection.bulk2.pollInterval = 100;
    const found = await records(await connection.bulk2.query("SELECT Id, Name, Account.Name FROM Contact"));
    equal(found.map((record) => record["Account.Name"]), ["Acme", "Acme", "Acme"]);
    equal(found.map((record) => record.Name).sort(), ["#N/A", "Alan Turing", "Grace Hopper"]);
    const gone = await records(await connection.bulk2.query("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'", { scanAll: true }));
    equal(gone.map((record) => record.IsDeleted), ["true"]);
    const piped = await records(await connection.bulk2.query("SELECT Id, Name FROM Account", { columnDelimiter: "COMMA" }));
    equal(new Set(piped.map((record) => record.Id)).size, env.accounts);
  },
  "Bulk 2.0: abort, delete": async () => {
    const connection = await signedIn();
    const { QueryJobV2 } = require("jsforce/lib/api/bulk2");
    const options = { bodyParams: { query: "SELECT Id FROM Account", operation: "query" }, pollingOptions: { pollInterval: 100, pollTimeout: 20000 } };
    const job = new QueryJobV2(connection, options);
    equal((await job.open()).state, "UploadComplete");
    await refused(() => job.delete(), /./);
    equal((await job.abort()).state, "Aborted");
    equal((await connection.bulk2.job("query", { id: job.id }).check()).state, "Aborted");
    await job.delete();
    await refused(() => job.check(), /NOT_FOUND/);
  },
  "Bulk 2.0: refused": async () => {
    const connection = await signedIn();
    connection.bulk2.pollInterval = 100;
    await refused(() => connection.bulk2.query("SELECT BillingAddress FROM Account"), /INVALIDJOB|compound/i);
    await refused(() => connection.bulk2.query("SELECT Id FROM Nothing__c"), /INVALID|failed/i);
    await refused(() => connection.bulk2.query("SELECT count(Id) FROM Account"), /./);
  },
  "Tooling API": async () => {
    const found = await (await signedIn()).tooling.query("SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'Account'");
    equal(found.records.map((record) => record.QualifiedApiName), ["Account"]);
  },
  "Metadata API": async () => {
    const connection = await signedIn();
    assert((await connection.metadata.describe(version)).metadataObjects.length > 0, "no types");
    const listed = await connection.metadata.list([{ type: "CustomObject" }], version);
    assert(listed.some((item) => item.fullName === "Account"), "no Account");
    const object = await connection.metadata.read("CustomObject", "Account");
    assert(object.fullName === "Account" && object.fields.some((field) => field.fullName === "Industry"), "no field");
    const missing = await connection.metadata.read("CustomObject", "Nothing__c");
    equal(missing.fullName ?? null, null);
    connection.metadata.pollInterval = 100;
    const types = [{ name: "CustomObject", members: ["Account", "Nothing__c"] }, { name: "Profile", members: ["Admin"] }];
    const got = await connection.metadata.retrieve({ apiVersion: version, unpackaged: { types, version } }).complete();
    equal([got.status, got.success], ["Succeeded", true]);
    equal(got.fileProperties.map((file) => file.fileName).sort(), ["unpackaged/objects/Account.object", "unpackaged/package.xml", "unpackaged/profiles/Admin.profile"]);
    equal(got.messages.map((message) => message.problem), ["Entity of type 'CustomObject' named 'Nothing__c' cannot be found"]);
    equal(Buffer.from(got.zipFile, "base64").subarray(0, 2).toString(), "PK");
    await refused(() => connection.metadata.list([{ type: "Nothing" }], version), /INVALID_TYPE/);
  },
  "Metadata API: deploy": async () => {
    const connection = await signedIn();
    connection.metadata.pollInterval = 100;
    const types = "<types><members>Contact.Hat__c</members><name>CustomField</name></types>";
    const manifest = `<Package>${types}<version>${version}</version></Package>`;
    const field = "<fields><fullName>Hat__c</fullName><label>Hat</label><length>20</length><type>Text</type></fields>";
    const made = stored({ "package.xml": manifest, "objects/Contact.object": `<CustomObject>${field}</CustomObject>` });
    const options = { rollbackOnError: true, singlePackage: true };
    const hats = async () => (await connection.describe("Contact")).fields.filter((known) => known.name === "Hat__c").length;
    const partly = connection.metadata.deploy(made, { singlePackage: true });
    await refused(() => partly.complete(), /rollbackOnError option must be true/);
    const done = await connection.metadata.deploy(made, options).complete(true);
    equal([done.status, done.success, done.numberComponentsDeployed], ["Succeeded", true, 1]);
    equal(done.details.componentSuccesses.map((told) => told.fullName).sort(), ["Contact.Hat__c", "package.xml"]);
    equal(await hats(), 1);
    const empty = `<Package><version>${version}</version></Package>`;
    const gone = stored({ "package.xml": empty, "destructiveChanges.xml": `<Package>${types}</Package>` });
    const rest = await connection.metadata.deployRest(gone, options).complete(true);
    equal([rest.status, rest.numberComponentErrors], ["Succeeded", 0]);
    equal(await hats(), 0);
    const again = await connection.metadata.deploy(gone, options).complete(true);
    equal([again.status, again.details.componentFailures[0].problem], ["Failed", "No CustomField named: Contact.Hat__c found"]);
    const saved = await connection.metadata.create("CustomLabel", { fullName: "Greeting", language: "en_US", protected: false, shortDescription: "g", value: "hi" });
    equal([saved.success, saved.fullName], [true, "Greeting"]);
    equal((await connection.metadata.delete("CustomLabel", "Greeting")).success, true);
  },
  "records written": async () => {
    const connection = await signedIn();
    const made = await connection.sobject("Account").create({ Name: "Made by jsforce" });
    equal(made.success, true);
    await connection.sobject("Account").update({ Id: made.id, Name: "Changed by jsforce" });
    equal((await connection.sobject("Account").retrieve(made.id)).Name, "Changed by jsforce");
    await connection.sobject("Account").destroy(made.id);
  },
  "upsert by a key": async () => {
    const connection = await signedIn();
    const row = { Email: "upserted@jsforce.example", LastName: "First" };
    const made = await connection.sobject("Contact").upsert(row, "Email");
    equal([made.success, made.created], [true, true]);
    const changed = await connection.sobject("Contact").upsert({ ...row, LastName: "Second" }, "Email");
    equal([changed.id, changed.created], [made.id, false]);
    equal((await connection.sobject("Contact").retrieve(made.id)).LastName, "Second");
    await connection.sobject("Contact").destroy(made.id);
    await refused(() => connection.sobject("Contact").upsert({ Nothing: "x", LastName: "x" }, "Nothing"), /Provided external ID field does not exist/);
  },
  "collections written": async () => {
    const connection = await signedIn();
    const contacts = connection.sobject("Contact");
    // more than one call takes: jsforce sends them in pieces
    const rows = [...Array(250).keys()].map((number) => ({ LastName: `Row ${number}`, Email: `row${number}@jsforce.example` }));
    const made = await contacts.create(rows, { allowRecursive: true });
    equal(made.filter((row) => row.success).length, 250);
    const changed = await contacts.update([{ Id: made[0].id, LastName: "Changed" }, { Id: made[1].id, LastName: null }]);
    equal(changed.map((row) => row.success), [true, false]);
    equal(changed[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
    const together = await contacts.update([{ Id: made[0].id, LastName: "Never" }, { Id: made[1].id, LastName: null }], { allOrNone: true });
    equal(together.map((row) => row.errors[0].statusCode), ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]);
    const upserted = await contacts.upsert([{ Email: rows[2].Email, LastName: "Found" }, { Email: "other@jsforce.example", LastName: "Made" }], "Email");
    equal(upserted.map((row) => row.created), [false, true]);
    equal((await contacts.retrieve([made[0].id, made[2].id])).map((row) => row.LastName), ["Changed", "Found"]);
    const gone = await contacts.destroy([...made.map((row) => row.id), upserted[1].id], { allowRecursive: true });
    equal(gone.filter((row) => row.success).length, 251);
  },
  "composite written": async () => {
    const connection = await signedIn();
    const base = `/services/data/v${version}`;
    const parts = (name) => [
      { method: "POST", url: `${base}/sobjects/Account`, referenceId: "account", body: { Name: "Composite by jsforce" } },
      { method: "POST", url: `${base}/sobjects/Contact`, referenceId: "contact", body: { LastName: name, AccountId: "@{account.id}" } },
    ];
    const send = (name) => connection.requestPost(`${base}/composite`, { allOrNone: true, compositeRequest: parts(name) });
    const undone = await send(null);
    equal(undone.compositeResponse.map((part) => part.httpStatusCode), [400, 400]);
    equal((await connection.query("SELECT Id FROM Account WHERE Name = 'Composite by jsforce'")).totalSize, 0);
    const done = await send("Composed");
    equal(done.compositeResponse.map((part) => part.httpStatusCode), [201, 201]);
    const account = done.compositeResponse[0].body.id;
    equal((await connection.sobject("Contact").retrieve(done.compositeResponse[1].body.id)).AccountId, account);
    const tree = { records: [{ attributes: { type: "Account", referenceId: "a" }, Name: "Tree by jsforce", Contacts: { records: [{ attributes: { type: "Contact", referenceId: "c" }, LastName: "Leaf" }] } }] };
    const grown = await connection.requestPost(`${base}/composite/tree/Account/`, tree);
    equal(grown.results.map((row) => row.referenceId), ["a", "c"]);
    await connection.sobject("Account").destroy([account, grown.results[0].id]);
  },
  "blobs written": async () => {
    const connection = await signedIn();
    const parent = await connection.sobject("Account").create({ Name: "Blobs by jsforce" });
    const content = Buffer.from([...Array(256).keys()]);
    const made = await connection.sobject("Attachment").create({ Name: "bytes.bin", ParentId: parent.id, Body: content.toString("base64") });
    equal(made.success, true);
    const read = await new Promise((resolve, reject) => {
      const pieces = [];
      connection.sobject("Attachment").record(made.id).blob("Body").on("data", (piece) => pieces.push(piece)).on("end", () => resolve(Buffer.concat(pieces))).on("error", reject);
    });
    equal(read.equals(content), true);
    equal((await connection.sobject("Attachment").retrieve(made.id)).BodyLength, 256);
    await connection.sobject("Account").destroy(parent.id);
  },
  "records by SOAP": async () => {
    const connection = await signedIn();
    const made = await connection.soap.create([{ type: "Contact", LastName: "Soap & Sons" }, { type: "Contact", LastName: null, FirstName: "x" }]);
    equal(made.map((row) => row.success), [true, false]);
    const id = made[0].id;
    equal((await connection.soap.update([{ type: "Contact", Id: id, FirstName: "Sue" }])).map((row) => row.success), [true]);
    const found = await connection.sobject("Contact").retrieve(id);
    equal([found.FirstName, found.LastName], ["Sue", "Soap & Sons"]);
    const upserted = await connection.soap.upsert("Email", [{ type: "Contact", LastName: "U", Email: "soap@jsforce.example" }]);
    equal(upserted.map((row) => row.created), [true]);
    const ids = [id, upserted[0].id];
    equal((await connection.soap.delete(ids)).map((row) => row.success), [true, true]);
    equal((await connection.soap.undelete(ids)).map((row) => row.success), [true, true]);
    equal((await connection.query(`SELECT Id FROM Contact WHERE Id IN ('${ids.join("','")}')`)).totalSize, 2);
    await connection.soap.delete(ids);
  },
  "Bulk 1.0 load": async () => {
    const connection = await signedIn();
    connection.bulk.pollInterval = 100;
    const rows = [{ Name: "Loaded by jsforce", NumberOfEmployees: 7 }, { Name: "", Description: "has no name" }];
    const [made, refusedRow] = await connection.bulk.load("Account", "insert", rows);
    equal([made.success, refusedRow.success], [true, false]);
    assert(refusedRow.errors[0].startsWith("REQUIRED_FIELD_MISSING:"), refusedRow.errors[0]);
    const changed = await connection.bulk.load("Account", "update", [{ Id: made.id, NumberOfEmployees: "#N/A" }]);
    equal(changed.map((result) => [result.id, result.success]), [[made.id, true]]);
    equal((await connection.sobject("Account").retrieve(made.id)).NumberOfEmployees, null);
    const gone = await connection.bulk.load("Account", "delete", [{ Id: made.id }]);
    equal(gone.map((result) => result.success), [true]);
    await refused(() => connection.bulk.load("Account", "hardDelete", [{ Id: made.id }]), /FeatureNotEnabled/);
    await refused(() => connection.bulk.load("Account", "insert", [{ Nothing__c: "x" }]), /Field name not found|Records not processed/);
  },
  "Bulk 2.0 ingest": async () => {
    const connection = await signedIn();
    connection.bulk2.pollInterval = 100;
    const load = (operation, input) => connection.bulk2.loadAndWaitForResults({ object: "Account", operation, input });
    const input = [{ Name: "Loaded by jsforce", Description: 'a "quoted",\nvalue' }, { Name: "", Description: "no name" }];
    const { successfulResults, failedResults, unprocessedRecords } = await load("insert", input);
    equal([successfulResults.length, failedResults.length, unprocessedRecords.length], [1, 1, 0]);
    const [made] = successfulResults;
    equal([made.sf__Created, made.Description], ["true", 'a "quoted",\nvalue']);
    equal(failedResults[0].sf__Error, "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --");
    equal((await load("update", [{ Id: made.sf__Id, Description: "#N/A" }])).failedResults, []);
    equal((await connection.sobject("Account").retrieve(made.sf__Id)).Description, null);
    equal((await load("delete", [{ Id: made.sf__Id }])).successfulResults.map((row) => row.sf__Created), ["false"]);
    const job = connection.bulk2.createJob({ object: "Account", operation: "insert" });
    equal((await job.open()).state, "Open");
    await job.uploadData("Name\nby hand\n");
    await refused(() => job.uploadData("Name\ntwice\n"), /only be uploaded to a job once/);
    await job.abort();
    equal((await job.check()).state, "Aborted");
    await job.delete();
    await refused(() => job.check(), /NOT_FOUND/);
    await refused(() => load("hardDelete", [{ Id: made.sf__Id }]), /FEATURENOTENABLED|hardDelete/);
  },
};

run(cases);
