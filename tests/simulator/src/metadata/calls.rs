//! The calls of the Metadata API (`/services/Soap/m/NN.0`) that read. Elements and their order are those of the Metadata
//! WSDL 63.0.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::catalog::{Catalog, Person};
use super::jobs::{Retrieve, Status};
use super::mdapi;
use super::package::Package;
use super::profile;
use super::retrieve::{Wanted, holder_alone};
use super::store::{Component, Key, Stamp};
use super::types;
use super::xml::Element;
use crate::org::OrgType;
use crate::soap::envelope::{child, children, nil, tag, text_of, texts};
use crate::soap::{Call, Fault};
use crate::value::Id;
use crate::value::calendar::write_datetime;

/// Queries that one list may have ("listMetadata()" of the Metadata API guide).
const MOST_QUERIES: usize = 3;
/// Components that one read may ask for ("readMetadata()"): more of custom metadata records and applications.
const MOST_READ: usize = 10;
const MOST_READ_OF_RECORDS: usize = 200;

/// Answers a call of the Metadata API.
pub(crate) fn answer(call: &Call<'_>) -> Result<String, Fault> {
    let user = call.rest.user;
    if !user.may("ModifyMetadata") && !user.may("ModifyAllData") {
        let message =
            "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions";
        return Err(Fault::new("INSUFFICIENT_ACCESS", message));
    }
    if let Some(answer) = super::deploy::answer(call) {
        return answer;
    }
    let name = call.envelope.name();
    let content = match name {
        "describeMetadata" => describe(call),
        "listMetadata" => list(call)?,
        "readMetadata" => read(call)?,
        "retrieve" => retrieve(call)?,
        "checkRetrieveStatus" => check_retrieve(call)?,
        // gone from the WSDL since 31.0, still answered: older clients poll it before checkRetrieveStatus
        "checkStatus" => check(call)?,
        _ => return Err(Fault::no_operation()),
    };
    Ok(format!("<{name}Response>{content}</{name}Response>"))
}

/// The org's components as this call sees them.
fn catalog<'a>(call: &'a Call<'_>) -> Catalog<'a> {
    Catalog::new(&call.rest.world, admin(call))
}

/// Whoever set the org up.
fn admin(call: &Call<'_>) -> Id {
    let first = call.rest.org.org.settings.users.first();
    first.and_then(|user| Id::parse(user.id.as_deref()?)).unwrap_or(Id::LOWEST)
}

/// The users of whom profiles tell, as they are now.
fn people(call: &Call<'_>) -> Vec<Person> {
    let org = call.rest.org;
    (0..org.org.settings.users.len()).filter_map(|n| Some(Person::new(&*org.users.get(n)?))).collect()
}

fn describe(call: &Call<'_>) -> String {
    let mut out = String::from("<result>");
    for of in types::all().iter().filter(|of| !of.is_folder) {
        out.push_str("<metadataObjects>");
        for part in of.parts.iter().filter(|part| part.addressable) {
            tag(&mut out, "childXmlNames", part.name);
        }
        tag(&mut out, "directoryName", of.directory);
        tag(&mut out, "inFolder", bool(of.in_folder));
        tag(&mut out, "metaFile", bool(of.meta_file));
        if !of.suffix.is_empty() {
            tag(&mut out, "suffix", of.suffix);
        }
        tag(&mut out, "xmlName", of.name);
        out.push_str("</metadataObjects>");
    }
    tag(&mut out, "organizationNamespace", "");
    // production takes a deploy whole or not at all, and with tests
    let production = call.rest.org.org.settings.r#type == OrgType::Production;
    tag(&mut out, "partialSaveAllowed", bool(!production));
    tag(&mut out, "testRequired", bool(production));
    out.push_str("</result>");
    out
}

fn bool(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Settings are one type in package.xml, and none of their own to be listed (users report `Unknown type:AddressSettings`,
/// certinia/apex-mdapi#179).
fn known(type_name: &str) -> Result<(), Fault> {
    if types::is_known(type_name) {
        return Ok(());
    }
    Err(Fault::new("INVALID_TYPE", format!("Unknown type:{type_name}")))
}

fn list(call: &Call<'_>) -> Result<String, Fault> {
    let queries: Vec<_> = children(call.envelope.operation(), "queries").collect();
    if queries.len() > MOST_QUERIES {
        // that it fails is reported (jsforce/jsforce#22), its words are not
        let message = format!("too many queries in listMetadata call, limit is: {MOST_QUERIES}");
        return Err(Fault::new("LIMIT_EXCEEDED", message));
    }
    let catalog = catalog(call);
    let mut out = String::new();
    for query in queries {
        let type_name = text_of(query, "type").unwrap_or_default();
        let type_name = type_name.trim();
        known(type_name)?;
        let folder = text_of(query, "folder").filter(|folder| !folder.trim().is_empty());
        let in_folder = types::find(type_name).is_some_and(|of| of.in_folder);
        for name in catalog.names(type_name) {
            // components in folders are listed one folder at a time
            if in_folder {
                let within = folder.as_deref().and_then(|folder| name.strip_prefix(folder.trim()));
                if !within.is_some_and(|rest| rest.starts_with('/')) {
                    continue;
                }
            }
            let key = Key::new(type_name, &name);
            if let Some(component) = catalog.get(&key).or_else(|| holder_alone(&catalog, &key)) {
                let path = match types::find(type_name) {
                    Some(of) => mdapi::told_path(of, &name, &component.files),
                    None => component.files.first().map(|file| file.path.to_string()).unwrap_or_default(),
                };
                properties(call, &mut out, "result", &key, &path, &component);
            }
        }
    }
    Ok(out)
}

/// What is told of a component's files.
fn properties(call: &Call<'_>, out: &mut String, element: &str, key: &Key, path: &str, of: &Component) {
    let _ = write!(out, "<{element}>");
    stamp(call, out, "created", of.created);
    tag(out, "fileName", path);
    tag(out, "fullName", &key.full_name);
    tag(out, "id", &of.id.map(|id| id.to_string()).unwrap_or_default());
    stamp(call, out, "lastModified", of.modified);
    tag(out, "manageableState", if of.managed { "installed" } else { "unmanaged" });
    if let Some(namespace) = &of.namespace {
        tag(out, "namespacePrefix", namespace);
    }
    tag(out, "type", &key.type_name);
    let _ = write!(out, "</{element}>");
}

fn stamp(call: &Call<'_>, out: &mut String, what: &str, stamp: Stamp) {
    let id = stamp.by.to_string();
    let users = &call.rest.org.org.settings.users;
    let user = users.iter().find(|user| user.id.as_deref() == Some(&id));
    let name = user.map_or_else(String::new, |user| {
        let last = user.last_name.as_deref().unwrap_or_else(|| local(&user.username));
        user.first_name.as_ref().map_or_else(|| last.to_owned(), |first| format!("{first} {last}"))
    });
    tag(out, &format!("{what}ById"), &id);
    tag(out, &format!("{what}ByName"), &name);
    tag(out, &format!("{what}Date"), &zulu(stamp.at));
}

/// What a user name has before its `@`, which users without a last name have as one.
fn local(username: &str) -> &str {
    username.split('@').next().unwrap_or(username)
}

/// A time as SOAP writes it.
fn zulu(millis: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write_datetime(millis, &mut out);
    out.push(b'Z');
    String::from_utf8(out).unwrap_or_default()
}

fn read(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    let type_name = text_of(operation, "type").or_else(|| text_of(operation, "metadataType"));
    let type_name = type_name.unwrap_or_default();
    let type_name = type_name.trim();
    known(type_name)?;
    let names = texts(operation, "fullNames");
    let records = matches!(type_name, "CustomMetadata" | "CustomApplication");
    let most = if records { MOST_READ_OF_RECORDS } else { MOST_READ };
    if names.len() > most {
        let message = format!("record limit reached. cannot submit more than {most} records into this call");
        return Err(Fault::new("EXCEEDED_ID_LIMIT", message));
    }
    let of = types::find(type_name);
    if of.is_some_and(|of| of.bundle || of.directory == "classes" || of.directory == "triggers") {
        // code is not among the types that CRUD calls take (Metadata API guide, "CRUD-based calls")
        let message = format!("Entity type: '{type_name}' is not supported by this call");
        return Err(Fault::new("INVALID_TYPE", message));
    }
    let people = people(call);
    let catalog = catalog(call).with_people(&people);
    let mut out = String::from("<result>");
    for name in &names {
        let name = name.trim();
        let key = Key::new(type_name, name);
        let found = match of.filter(|of| !of.parts.is_empty()) {
            Some(of) => catalog.whole(of, name),
            None if type_name == "Profile" => {
                catalog.document(&key).map(|root| profile::whole(&catalog, name, root))
            }
            None => catalog.document(&key),
        };
        match found {
            Some(document) => record(&mut out, &catalog, &key, document),
            // what is not there comes back as null, in its place
            None => nil(&mut out, "records"),
        }
    }
    out.push_str("</result>");
    Ok(out)
}

fn record(out: &mut String, catalog: &Catalog<'_>, key: &Key, mut document: Element) {
    // the root of settings tells which they are
    let kind = if &*key.type_name == "Settings" { document.name.clone() } else { key.type_name.to_string() };
    document.set("fullName", &*key.full_name);
    let component = catalog.get(key);
    let content = component.as_ref().filter(|component| component.files.len() == 2);
    if let Some(content) = content.and_then(|component| component.files.first()) {
        document.push("content", STANDARD.encode(&content.bytes));
    }
    document.sort();
    let _ = write!(out, "<records xsi:type=\"{kind}\">");
    document.write_flat(out);
    out.push_str("</records>");
}

fn retrieve(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    // jsforce calls it `request`, as generated clients name the argument of the WSDL
    let request = child(operation, "retrieveRequest").or_else(|| child(operation, "request"));
    let request = request.ok_or_else(|| Fault::client("the call has no retrieveRequest"))?;
    let package = match child(request, "unpackaged") {
        Some(node) => package(node)?,
        None => Package::default(),
    };
    let filled = |name: &str| -> Vec<String> {
        texts(request, name).into_iter().filter(|text| !text.trim().is_empty()).collect()
    };
    let single = text_of(request, "singlePackage").is_some_and(|told| told.trim() == "true");
    let wanted = Wanted { package, files: filled("specificFiles"), single, packages: filled("packageNames") };
    if !wanted.files.is_empty() && !wanted.single {
        let message = "singlePackage must be true if specificFiles is set";
        return Err(Fault::new("INVALID_OPERATION", message));
    }
    let org = call.rest.org;
    let now = org.clock.now_ms();
    let world = call.rest.world.clone();
    let who = (admin(call), people(call));
    let retrieve = org.retrieves.add(wanted, world, who, now, call.state.bulk_job);
    let mut out = String::from("<result>");
    tag(&mut out, "done", "false");
    tag(&mut out, "id", &retrieve.id.to_string());
    tag(&mut out, "state", "Queued");
    out.push_str("</result>");
    Ok(out)
}

/// The manifest within a message.
fn package(node: Node<'_, '_>) -> Result<Package, Fault> {
    let mut package = Package { version: text_of(node, "version"), ..Package::default() };
    for group in children(node, "types") {
        let name = text_of(group, "name").unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Fault::new("INVALID_TYPE", "Required field is missing: name in types"));
        }
        let members = texts(group, "members");
        let members = members.iter().map(|member| member.trim().to_owned()).collect();
        package.types.push((name.trim().to_owned(), members));
    }
    Ok(package)
}

fn find(call: &Call<'_>) -> Result<Arc<Retrieve>, Fault> {
    let operation = call.envelope.operation();
    let id = text_of(operation, "asyncProcessId").or_else(|| text_of(operation, "id")).unwrap_or_default();
    let found = call.rest.org.retrieves.find(id.trim());
    found.ok_or_else(|| Fault::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
}

fn check(call: &Call<'_>) -> Result<String, Fault> {
    let retrieve = find(call)?;
    let status = retrieve.status(call.rest.org.clock.now_ms());
    let mut out = String::from("<result>");
    tag(&mut out, "done", bool(status == Status::Done));
    tag(&mut out, "id", &retrieve.id.to_string());
    let failed = match status {
        Status::Done => retrieve.result().as_ref().err(),
        _ => None,
    };
    if let Some(error) = failed {
        tag(&mut out, "message", &error.to_string());
    }
    let state = match (status, failed) {
        (Status::Pending, _) => "Queued",
        (Status::InProgress, _) => "InProgress",
        (Status::Done, None) => "Completed",
        (Status::Done, Some(_)) => "Error",
    };
    tag(&mut out, "state", state);
    if let Some(error) = failed {
        tag(&mut out, "statusCode", error.code());
    }
    out.push_str("</result>");
    Ok(out)
}

fn check_retrieve(call: &Call<'_>) -> Result<String, Fault> {
    let retrieve = find(call)?;
    let status = retrieve.status(call.rest.org.clock.now_ms());
    let include = text_of(call.envelope.operation(), "includeZip").is_none_or(|told| told.trim() == "true");
    let mut out = String::from("<result>");
    tag(&mut out, "done", bool(status == Status::Done));
    let result = (status == Status::Done).then(|| retrieve.result());
    let mut zip = None;
    if let Some(Err(error)) = result {
        tag(&mut out, "errorMessage", &error.to_string());
        tag(&mut out, "errorStatusCode", error.code());
    }
    if let Some(Ok(gathered)) = result {
        if include {
            // one fetch takes it off the server
            let taken = retrieve.take_zip();
            zip = Some(
                taken.ok_or_else(|| Fault::new("INVALID_LOCATOR", "Retrieve result has been deleted."))?,
            );
        }
        for told in &gathered.components {
            properties(call, &mut out, "fileProperties", &told.key, &told.path, &told.component);
        }
        manifest(call, &mut out, &gathered.manifest);
    }
    tag(&mut out, "id", &retrieve.id.to_string());
    if let Some(Ok(gathered)) = result {
        for (file, problem) in &gathered.messages {
            out.push_str("<messages>");
            tag(&mut out, "fileName", file);
            tag(&mut out, "problem", problem);
            out.push_str("</messages>");
        }
    }
    let told = match (status, result) {
        (Status::Pending, _) => "Pending",
        (Status::InProgress, _) => "InProgress",
        (Status::Done, Some(Err(_))) => "Failed",
        (Status::Done, _) => "Succeeded",
    };
    tag(&mut out, "status", told);
    tag(&mut out, "success", bool(told == "Succeeded"));
    match zip {
        Some(zip) => {
            out.push_str("<zipFile>");
            STANDARD.encode_string(&zip, &mut out);
            out.push_str("</zipFile>");
        }
        None => nil(&mut out, "zipFile"),
    }
    out.push_str("</result>");
    Ok(out)
}

/// The manifest is told of, too, as something of a type `Package` without an id.
fn manifest(call: &Call<'_>, out: &mut String, path: &str) {
    let by = Id::parse(call.rest.user_id()).unwrap_or(Id::LOWEST);
    let stamp = Stamp { at: call.rest.org.clock.now_ms(), by };
    let component = Component {
        id: None,
        files: Arc::new([]),
        created: stamp,
        modified: stamp,
        namespace: None,
        managed: false,
    };
    properties(call, out, "fileProperties", &Key::new("Package", path), path, &component);
}
