"""A Bulk 2.0 query to CSV files in the current folder, by simple-salesforce: SF_ADDRESS, SF_TOKEN, SF_SOQL."""

import os
import pathlib

import requests
from simple_salesforce import Salesforce


class Plain(requests.adapters.HTTPAdapter):
    """simple-salesforce insists on https; the simulator is asked by http."""

    def send(self, request, **kwargs):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **kwargs)


session = requests.Session()
session.mount("https://", Plain())
org = Salesforce(instance=os.environ["SF_ADDRESS"].removeprefix("http://"), session_id=os.environ["SF_TOKEN"], session=session, version="60.0")
for number, page in enumerate(org.bulk2.Account.query(os.environ["SF_SOQL"], max_records=50000)):
    pathlib.Path(f"{number}.csv").write_text(page)
