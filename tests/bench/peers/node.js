// A Bulk 2.0 query to CSV files in the current folder, by node-sf-bulk2: SF_ADDRESS, SF_TOKEN, SF_SOQL.
const fs = require("fs");
const { BulkAPI2 } = require("node-sf-bulk2");

async function main() {
  const { SF_ADDRESS, SF_TOKEN, SF_SOQL } = process.env;
  const bulk = new BulkAPI2({ accessToken: SF_TOKEN, instanceUrl: SF_ADDRESS, apiVersion: "60.0" });
  const job = await bulk.submitBulkQueryJob({ query: SF_SOQL, operation: "query" });
  while ((await bulk.getBulkQueryJobInfo(job.id)).state !== "JobComplete") {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  let locator;
  let page = 0;
  do {
    const response = await bulk.getBulkQueryResults(job.id, locator, 50000);
    fs.writeFileSync(`${page++}.csv`, response.data);
    locator = response.headers["sforce-locator"];
  } while (locator && locator !== "null");
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
