// node-sf-bulk2: Bulk 2.0 alone, with a token from elsewhere.
const { BulkAPI2, RESULTTYPE } = require("node-sf-bulk2");
const { assert, equal, refused, run, env } = require("./cases");

async function signedIn(apiVersion = "60.0") {
  const form = { grant_type: "client_credentials", client_id: "interop", client_secret: "interop-secret" };
  const response = await fetch(`${env.domain}/services/oauth2/token`, { method: "POST", body: new URLSearchParams(form) });
  const { access_token: accessToken, instance_url: instanceUrl } = await response.json();
  return new BulkAPI2({ accessToken, instanceUrl, apiVersion });
}

async function finished(bulk, query, operation = "query", more = {}) {
  const job = await bulk.submitBulkQueryJob({ query, operation, ...more });
  for (;;) {
    const info = await bulk.getBulkQueryJobInfo(job.id);
    if (info.state === "JobComplete") return info;
    assert(["UploadComplete", "InProgress"].includes(info.state), JSON.stringify(info));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const lines = (text) => text.split("\n").filter((line) => line);

const cases = {
  "Bulk 2.0 query": async () => {
    const bulk = await signedIn();
    const info = await finished(bulk, "SELECT Id, LastName, Account.Name FROM Contact ORDER BY LastName");
    equal([info.numberRecordsProcessed, info.jobType, info.apiVersion], [3, "V2Query", 60]);
    const response = await bulk.getBulkQueryResults(info.id);
    equal(lines(response.data).map((line) => line.split(",").slice(1).join(",")), ['"LastName","Account.Name"', '"#N/A","Acme"', '"Hopper","Acme"', '"Turing","Acme"']);
    equal([response.headers["sforce-locator"], response.headers["sforce-numberofrecords"]], ["null", "3"]);
    const gone = await finished(bulk, "SELECT Id FROM Account WHERE Name = 'Gone'", "queryAll");
    equal(gone.numberRecordsProcessed, 1);
    const none = await bulk.getBulkQueryResults((await finished(bulk, "SELECT Id, Name FROM Account WHERE Name = 'Gone'")).id);
    equal([none.data.trim(), none.headers["sforce-locator"]], ['"Id","Name"', "null"]);
    const tabs = await bulk.getBulkQueryResults((await finished(bulk, "SELECT Id, Name FROM Account LIMIT 2", "query", { columnDelimiter: "TAB", lineEnding: "CRLF" })).id);
    equal(tabs.data.split("\r\n")[0], '"Id"\t"Name"');
  },
  "Bulk 2.0: pages": async () => {
    const bulk = await signedIn();
    const { id } = await finished(bulk, "SELECT Id, Name FROM Account");
    const seen = new Set();
    let locator;
    let pages = 0;
    do {
      const response = await bulk.getBulkQueryResults(id, locator, 1500);
      const [header, ...rows] = lines(response.data);
      equal([header, rows.length], ['"Id","Name"', Number(response.headers["sforce-numberofrecords"])]);
      rows.forEach((row) => seen.add(row.slice(0, 20)));
      locator = response.headers["sforce-locator"];
      pages += 1;
    } while (locator !== "null");
    equal([seen.size, pages], [env.accounts, Math.ceil(env.accounts / 1500)]);
    let bytes = 0;
    for await (const part of await bulk.getBulkQueryResultsStream(id)) bytes += part.length;
    assert(bytes > env.accounts * 20, `${bytes} bytes`);
  },
  "Bulk 2.0: result pages": async () => {
    const bulk = await signedIn();
    const { id } = await finished(bulk, "SELECT Id, Name FROM Account");
    const first = await bulk.getBulkQueryResultPages(id);
    equal(typeof first.done, "boolean");
    // it takes links relative to the version for granted, which is not what Salesforce documents; whole URLs it follows
    const pages = await Promise.all(first.resultPages.map((page) => bulk.getResultPage(`${env.domain}${page.resultUrl}`)));
    equal(pages.reduce((rows, page) => rows + lines(page.data).length - 1, 0), env.accounts);
  },
  "Bulk 2.0: list": async () => {
    const bulk = await signedIn();
    const { id } = await finished(bulk, "SELECT Id FROM Contact");
    const all = await bulk.getAllBulkQueryJobInfo({ jobType: "V2Query" });
    assert(all.records.some((job) => job.id === id), "the job is not in the list");
    equal(all.done, true);
  },
  "Bulk 2.0: abort, delete": async () => {
    const bulk = await signedIn();
    const job = await bulk.submitBulkQueryJob({ query: "SELECT Id FROM Account", operation: "query" });
    equal(job.state, "UploadComplete");
    await refused(() => bulk.getBulkQueryResults(job.id), /./);
    equal((await bulk.abortBulkQueryJob(job.id)).state, "Aborted");
    await bulk.deleteBulkQueryJob(job.id);
    await refused(() => bulk.getBulkQueryJobInfo(job.id), /NOT_FOUND/);
  },
  "Bulk 2.0: refused": async () => {
    const bulk = await signedIn();
    const refuse = (query, words) => refused(() => bulk.submitBulkQueryJob({ query, operation: "query" }), words);
    await refuse("SELECT BillingAddress FROM Account", /compound/i);
    await refuse("SELECT Id FROM RecentlyViewed", /./);
    await refuse("SELECT Id, (SELECT Id FROM Contacts) FROM Account", /./);
    await refused(async () => (await new BulkAPI2({ accessToken: "00D!nothing", instanceUrl: env.domain, apiVersion: "60.0" })).getAllBulkQueryJobInfo(), /INVALID_SESSION_ID/);
    const { id } = await finished(bulk, "SELECT Id FROM Contact");
    await refused(async () => (await signedIn("61.0")).getBulkQueryResultPages(id), /409/);
  },
  "Bulk 2.0 ingest": async () => {
    const bulk = await signedIn();
    const end = async (id) => {
      for (;;) {
        const info = await bulk.getIngestJobInfo(id);
        if (["JobComplete", "Failed", "Aborted"].includes(info.state)) return info;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    const load = async (operation, csv) => {
      const job = await bulk.createDataUploadJob({ object: "Account", operation });
      equal([job.state, job.contentUrl], ["Open", `services/data/v60.0/jobs/ingest/${job.id}/batches`]);
      equal(await bulk.uploadJobData(job.contentUrl, csv), 201);
      equal((await bulk.closeOrAbortJob(job.id, "UploadComplete")).state, "UploadComplete");
      return end(job.id);
    };
    const info = await load("insert", "Name,Description\nLoaded by node-sf-bulk2,\n,no name\n");
    equal([info.state, info.numberRecordsProcessed, info.numberRecordsFailed, info.jobType], ["JobComplete", 2, 1, "V2Ingest"]);
    const made = lines(await bulk.getResults(info.id, RESULTTYPE.successfulResults));
    equal([made[0], made.length], ['"sf__Id","sf__Created","Name","Description"', 2]);
    assert(lines(await bulk.getResults(info.id, RESULTTYPE.failedResults))[1].includes("REQUIRED_FIELD_MISSING"), "no refusal");
    equal(lines(await bulk.getResults(info.id, RESULTTYPE.unprocessedrecords)), ['"Name","Description"']);
    const { id } = await bulk.createDataUploadJobWithData({ object: "Account", operation: "insert", contentType: "CSV" }, "Name\nLoaded with its job\n");
    equal((await end(id)).numberRecordsProcessed, 1);
    const other = lines(await bulk.getResults(id, RESULTTYPE.successfulResults))[1];
    const ids = [made[1], other].map((line) => line.slice(1, 19));
    const gone = await load("delete", `Id\n${ids.join("\n")}\n`);
    equal([gone.numberRecordsProcessed, gone.numberRecordsFailed], [2, 0]);
    const all = await bulk.getAllIngestJobInfo({ jobType: "V2Ingest" });
    assert(all.records.some((job) => job.id === id), "the job is not in the list");
    await bulk.deleteIngestJob(id);
    await refused(() => bulk.getIngestJobInfo(id), /NOT_FOUND/);
  },
};

run(cases);
