#!/bin/bash
# A Bulk 2.0 query to CSV files in the current folder, by curl: SF_ADDRESS, SF_TOKEN, SF_SOQL.
set -euo pipefail
jobs=$SF_ADDRESS/services/data/v60.0/jobs/query
header="Authorization: Bearer $SF_TOKEN"
job=$(curl -sf -H "$header" -H 'Content-Type: application/json' -d "{\"operation\":\"query\",\"query\":\"$SF_SOQL\"}" "$jobs" |
  sed 's/.*"id" *: *"\([^"]*\)".*/\1/')
until state=$(curl -sf -H "$header" "$jobs/$job") && [[ $state == *JobComplete* ]]; do sleep 0.5; done
locator='' page=0
while [ "$locator" != null ]; do
  curl -sf --compressed -H "$header" -D headers -o "$page.csv" "$jobs/$job/results?maxRecords=50000${locator:+&locator=$locator}"
  locator=$(tr -d '\r' <headers | awk 'tolower($1) == "sforce-locator:" { print $2 }')
  page=$((page + 1))
done
