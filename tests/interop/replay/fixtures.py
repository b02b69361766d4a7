"""Bodies that were recorded without their request: what to ask a simulator for to get each, and the org to ask.

Most were shortened by hand, so keys beyond theirs are no difference. `{NAME}` in a step is what an earlier step saved."""

import json

READ, WRITE = "read", "write"
TOKEN = "/services/oauth2/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DATA = "/services/data/v59.0"
# Describes that were left whole: no key may be missing, and none be more.
WHOLE = ("camel/account", "camel/invoice", "camel/line_item", "camel/merchandise", "camel/with_reference", "camel/objectDescription")
PASSWORD = "grant_type=password&client_id=app&client_secret=app-secret&username=first%40world.example&password="


def query(soql, resource="query"):
    return {"method": "GET", "path": f"{DATA}/{resource}?q={soql.replace(' ', '+')}"}


def get(path, version="59.0"):
    return {"method": "GET", "path": f"/services/data/v{version}/{path}"}


def token(form):
    return {"method": "POST", "path": TOKEN, "body": form, "headers": FORM}


def post(kind, record):
    return {"method": "POST", "path": f"{DATA}/sobjects/{kind}", "body": json.dumps(record)}


def upsert(key, version="59.0"):
    return {"method": "PATCH", "path": f"/services/data/v{version}/sobjects/Whizbang/{key}", "body": json.dumps({"Name": "Upserted"})}


def composite(*parts):
    """The steps as parts of one that stand or fall together."""
    asked = [{"method": part["method"], "url": part["path"], "referenceId": f"part{n}", "body": json.loads(part["body"])} for n, part in enumerate(parts)]
    return {"method": "POST", "path": f"{DATA}/composite", "body": json.dumps({"allOrNone": True, "compositeRequest": asked})}


def saving(step, **names):
    """Names, each with the path in the answer whose value it gets."""
    return {**step, "save": {name: path.split(".") for name, path in names.items()}}


REFRESH = "grant_type=refresh_token&client_id=app&client_secret=app-secret&refresh_token="
APP = "client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2Fdone"
CONSENT = {"method": "POST", "path": f"/services/oauth2/authorize?response_type=code&scope=api+refresh_token&{APP}", "body": "username=first%40world.example&password=secret&pw=secret", "headers": FORM, "save": {"CODE": ["(location)", "code"]}}
SIGNED_IN = [CONSENT, saving(token(f"grant_type=authorization_code&client_secret=app-secret&code={{CODE}}&{APP}"), REFRESH="refresh_token")]
WHIZBANG = saving(query("SELECT Id FROM Whizbang WHERE Name = 'My First Whizbang'"), WHIZ="records.0.Id")
THINGS = "/_simulator/orgs/{ORG}/records/"
MADE = [{"method": "POST", "path": f"{THINGS}Merchandise__c?secondsAgo=600", "body": '{"Name": "Made", "Price__c": 1, "Total_Inventory__c": 1}', "save": {"ID": ["id"]}}]
DELETED = [*MADE, {"method": "DELETE", "path": f"{THINGS}{{ID}}?secondsAgo=300"}]
LAST_DAY = "start={DAY_AGO}&end={NOW}"
MANY = {**query("SELECT Text_Label FROM Whizbang"), "headers": {"Sforce-Query-Options": "batchSize=200"}}

# name: (kind, steps); the answer of the last step is compared
STEPS = {
    "restforce/auth_error_response": (READ, [token(PASSWORD + "wrong")]),
    "restforce/auth_success_response": (READ, [token(PASSWORD + "secret")]),
    "restforce/expired_session_response": (READ, [{**get("sobjects"), "headers": {"Authorization": "Bearer 00D!gone"}}]),
    "restforce/reauth_success_response": (READ, [*SIGNED_IN, token(REFRESH + "{REFRESH}")]),
    "restforce/refresh_error_response": (READ, [token(REFRESH + "gone")]),
    "restforce/refresh_success_response": (READ, [*SIGNED_IN, token(REFRESH + "{REFRESH}")]),
    "restforce/services_data_success_response": (READ, [{"method": "GET", "path": "/services/data"}]),
    "restforce/describe_sobjects_success_response": (READ, [get("sobjects")]),
    "restforce/list_sobjects_success_response": (READ, [get("sobjects")]),
    "restforce/get_deleted_success_response": (READ, [*DELETED, get("sobjects/Merchandise__c/deleted/?" + LAST_DAY)]),
    "restforce/get_updated_success_response": (READ, [*MADE, get("sobjects/Merchandise__c/updated/?" + LAST_DAY)]),
    "restforce/list_view_results_success_response": (READ, [get("sobjects/Account/listviews/00BD0000005WcBeMAK/results")]),
    "restforce/org_query_response": (READ, [query("SELECT Id FROM Organization")]),
    "restforce/query_aggregate_success_response": (READ, [query("SELECT CampaignId, sum(Amount) FROM Opportunity GROUP BY CampaignId")]),
    "restforce/query_empty_response": (READ, [query("SELECT Id FROM Whizbang WHERE Name = 'none'")]),
    "restforce/query_error_response": (READ, [query("SELECT Nothing FROM Whizbang")]),
    "restforce/query_paginated_first_page_response": (READ, [MANY]),
    "restforce/query_paginated_last_page_response": (
        READ,
        [saving(MANY, NEXT="nextRecordsUrl"), {"method": "GET", "path": "{NEXT}"}],
    ),
    "restforce/query_success_response": (
        READ,
        [query("SELECT Checkbox_Label, Text_Label, Date_Label, DateTime_Label, Picklist_Multiselect_Label, ParentWhizbang__r.Name, ParentWhizbang__r.Text_Label, (SELECT Name FROM Whizbangs__r) FROM Whizbang WHERE Name = 'My First Whizbang'")],
    ),
    "restforce/recent_success_response": (READ, [WHIZBANG, get("sobjects/Whizbang/{WHIZ}"), get("recent")]),
    "restforce/search_error_response": (READ, [get("search?q=FIND+bar")]),
    "restforce/search_success_response": (READ, [get("search?q=FIND+%7BWhizbang%7D")]),
    "restforce/sobject_describe_error_response": (READ, [get("sobjects/Nowhere/describe")]),
    "restforce/sobject_describe_success_response": (READ, [get("sobjects/Whizbang/describe")]),
    "restforce/sobject_find_error_response": (READ, [get("sobjects/Whizbang/23foo/x")]),
    "restforce/sobject_find_success_response": (READ, [WHIZBANG, get("sobjects/Whizbang/{WHIZ}")]),
    "restforce/sobject_select_success_response": (READ, [WHIZBANG, get("sobjects/Whizbang/{WHIZ}?fields=External_Field__c")]),
    "camel/account": (READ, [get("sobjects/Account/describe", "42.0")]),
    "camel/asset": (READ, [get("sobjects/Asset/describe", "42.0")]),
    "camel/case": (READ, [get("sobjects/Case/describe", "34.0")]),
    "camel/complex_calculated_formula": (READ, [get("sobjects/ComplexCalculatedFormula/describe", "34.0")]),
    "camel/globalObjects": (READ, [get("sobjects", "34.0")]),
    "camel/global_sobjects": (READ, [get("sobjects", "42.0")]),
    "camel/invoice": (READ, [get("sobjects/Invoice__c/describe", "42.0")]),
    "camel/limits": (READ, [get("limits")]),
    "camel/line_item": (READ, [get("sobjects/Line_Item__c/describe", "50.0")]),
    "camel/merchandise": (READ, [get("sobjects/Merchandise__c/describe", "42.0")]),
    "camel/objectDescription": (READ, [get("sobjects/Merchandise__c/describe", "34.0")]),
    "camel/with_reference": (READ, [get("sobjects/With_Reference__c/describe", "42.0")]),
    "camel/composite_response_example_failure": (WRITE, [composite(post("Whizbang", {"Name": "One"}), post("Whizbang", {"Name": "Two", "OtherParent__r": {"External_Field__c": "0116"}}))]),
    "camel/composite_response_example_success": (WRITE, [composite(post("Whizbang", {"Name": "One"}), post("Whizbang", {"Name": "Two"}))]),
    "restforce/create_success_response": (WRITE, [post("Whizbang", {"Name": "Created"})]),
    "restforce/delete_error_response": (WRITE, [{"method": "DELETE", "path": f"{DATA}/sobjects/Whizbang/rid"}]),
    "restforce/upsert_created_success_response": (WRITE, [upsert("External_Field__c/12", "45.0")]),
    "restforce/upsert_error_response": (WRITE, [upsert("Namez/x")]),
    "restforce/upsert_multiple_error_response": (WRITE, [*(post("Whizbang", {"Name": "Twice", "External_Field__c": "twice"}) for _ in range(2)), upsert("External_Field__c/twice")]),
    "restforce/write_error_response": (WRITE, [post("Whizbang", {"foo": "bar"})]),
}
# Describes that the org of the fixtures has.
OBJECTS = ("camel/account", "camel/asset", "camel/case", "camel/complex_calculated_formula", "camel/invoice", "camel/line_item", "camel/merchandise", "camel/with_reference", "restforce/sobject_describe_success_response")

# Whizbangs are described with other fields than they are queried with.
SCHEMA = {
    "Whizbang": {
        "fields": {
            "Checkbox_Label": {"type": "boolean"},
            "Currency_Label": {"type": "currency", "precision": 18, "scale": 2},
            "Date_Label": {"type": "date"},
            "DateTime_Label": {"type": "datetime"},
            "OtherDateTime_Label": {"type": "datetime"},
            "Email_Label": {"type": "email"},
            "Number_Label": {"type": "double", "precision": 18, "scale": 2},
            "Percent_Label": {"type": "percent", "precision": 18, "scale": 2},
            "Phone_Label": {"type": "phone"},
            "Picklist_Label": {"type": "picklist", "values": ["one", "two"]},
            "Picklist_Multiselect_Label": {"type": "multipicklist", "values": ["four", "six"]},
            "Text_Label": {"type": "string"},
            "TextArea_Label": {"type": "textarea"},
            "TextAreaLong_Label": {"type": "textarea", "length": 32768},
            "TextAreaRich_Label": {"type": "textarea", "length": 32768},
            "URL_Label": {"type": "url"},
            "External_Field__c": {"type": "string", "length": 40, "externalId": True},
            "Whizbang__c": {"type": "reference", "to": ["Whizbang"], "relationship": "OtherParent__r", "children": "Whizbangs__r"},
        },
    },
    "Campaign": {"keyPrefix": "701", "fields": {}},
    "Opportunity": {"keyPrefix": "006", "fields": {"CampaignId": {"type": "reference", "to": ["Campaign"]}, "Amount": {"type": "currency", "precision": 18, "scale": 2}}},
}


def rows(whizbang):
    """Rows by object: the Whizbang of the recording, a parent and a child, more than a page of others, and sums."""
    own = {key: value for key, value in whizbang.items() if key.endswith("_Label") or key == "Name"}
    first = {**own, "Id": "first", "ParentWhizbang__c": "parent", "External_Field__c": "1234"}
    others = [{"Name": f"Whizbang {n}", "Text_Label": f"page {n // 200}"} for n in range(300)]
    return {
        "Whizbang": [{"Id": "parent", "Name": "Parent Whizbang", "Text_Label": "Hello"}, first, {"Name": "Child Whizbang", "Text_Label": "Hello", "Whizbang__c": "first"}, *others],
        "Campaign": [{"Id": "one", "Name": "One"}, {"Id": "two", "Name": "Two"}],
        "Opportunity": [{"Name": "Sale", "CampaignId": campaign, "Amount": amount} for campaign, amount in (("one", 300), ("two", 100), (None, 400))],
        "Merchandise__c": [{"Name": "Thing", "Price__c": 1, "Total_Inventory__c": 1}],
    }
