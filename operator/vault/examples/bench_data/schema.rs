//! Columns of the made-up objects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum T {
    Id,
    Ref,
    Str,
    Pick,
    Bool,
    Int,
    Dec(u8, i8),
    Date,
    Ts,
    Email,
    Phone,
    Url,
    Long,
    Name,
    Street,
    City,
    Zip,
    LatLon,
}
#[derive(Clone, Debug)]
pub struct Col {
    pub name: String,
    pub t: T,
    pub fill: f64,
    pub card: u32,
}
fn c(n: &str, t: T, fill: f64, card: u32) -> Col {
    Col { name: n.into(), t, fill, card }
}
pub fn spec(obj: &str) -> (Vec<Col>, &'static str) {
    use T::*;
    let mut v = vec![c("Id", Id, 1., 0), c("IsDeleted", Bool, 1., 0)];
    let (ncols, prefix) = match obj {
        "Account" => {
            v.extend([
                c("MasterRecordId", Ref, 0.01, 0),
                c("Name", Name, 1., 0),
                c("Type", Pick, 0.6, 7),
                c("ParentId", Ref, 0.1, 0),
            ]);
            for p in ["Billing", "Shipping"] {
                let f = if p == "Billing" { 0.75 } else { 0.45 };
                v.extend([
                    c(&format!("{p}Street"), Street, f, 0),
                    c(&format!("{p}City"), City, f, 900),
                    c(&format!("{p}State"), Pick, f * 0.6, 50),
                    c(&format!("{p}PostalCode"), Zip, f, 0),
                    c(&format!("{p}Country"), Pick, f, 40),
                    c(&format!("{p}Latitude"), LatLon, 0.2, 0),
                    c(&format!("{p}Longitude"), LatLon, 0.2, 0),
                ]);
            }
            v.extend([
                c("Phone", Phone, 0.7, 0),
                c("Fax", Phone, 0.05, 0),
                c("AccountNumber", Str, 0.3, 0),
                c("Website", Url, 0.4, 0),
                c("Sic", Pick, 0.1, 300),
                c("Industry", Pick, 0.6, 32),
                c("AnnualRevenue", Dec(18, 2), 0.25, 0),
                c("NumberOfEmployees", Int, 0.3, 0),
                c("Ownership", Pick, 0.1, 4),
                c("Description", Long, 0.12, 0),
                c("Rating", Pick, 0.2, 3),
                c("Site", Str, 0.02, 0),
                c("AccountSource", Pick, 0.3, 6),
            ]);
            (60, "001")
        }
        "Contact" => {
            v.extend([
                c("MasterRecordId", Ref, 0.01, 0),
                c("AccountId", Ref, 0.97, 0),
                c("LastName", Name, 1., 0),
                c("FirstName", Name, 0.95, 0),
                c("Salutation", Pick, 0.5, 5),
                c("Name", Name, 1., 0),
            ]);
            for p in ["Mailing", "Other"] {
                let f = if p == "Mailing" { 0.65 } else { 0.06 };
                v.extend([
                    c(&format!("{p}Street"), Street, f, 0),
                    c(&format!("{p}City"), City, f, 900),
                    c(&format!("{p}State"), Pick, f * 0.6, 50),
                    c(&format!("{p}PostalCode"), Zip, f, 0),
                    c(&format!("{p}Country"), Pick, f, 40),
                    c(&format!("{p}Latitude"), LatLon, f * 0.3, 0),
                    c(&format!("{p}Longitude"), LatLon, f * 0.3, 0),
                ]);
            }
            v.extend([
                c("Phone", Phone, 0.6, 0),
                c("Fax", Phone, 0.03, 0),
                c("MobilePhone", Phone, 0.5, 0),
                c("HomePhone", Phone, 0.05, 0),
                c("Email", Email, 0.9, 0),
                c("Title", Str, 0.6, 3000),
                c("Department", Pick, 0.4, 60),
                c("AssistantName", Name, 0.02, 0),
                c("LeadSource", Pick, 0.5, 12),
                c("Birthdate", Date, 0.1, 0),
                c("Description", Long, 0.06, 0),
                c("HasOptedOutOfEmail", Bool, 1., 0),
                c("HasOptedOutOfFax", Bool, 1., 0),
                c("DoNotCall", Bool, 1., 0),
                c("EmailBouncedReason", Str, 0.02, 20),
                c("EmailBouncedDate", Ts, 0.02, 0),
                c("IndividualId", Ref, 0.1, 0),
            ]);
            (80, "003")
        }
        "Wide" => {
            v.extend([c("Name", Name, 1., 0), c("AccountId", Ref, 0.9, 0)]);
            (500, "a00")
        }
        _ => panic!("object?"),
    };
    v.extend([
        c("OwnerId", Ref, 1., 400),
        c("CreatedDate", Ts, 1., 0),
        c("CreatedById", Ref, 1., 200),
        c("LastModifiedDate", Ts, 1., 0),
        c("LastModifiedById", Ref, 1., 200),
        c("SystemModstamp", Ts, 1., 0),
        c("LastActivityDate", Date, 0.4, 0),
    ]);
    // custom fields: mostly sparse
    let kinds = [Pick, Str, Dec(18, 2), Bool, Date, Ref, Int, Long, Ts, Dec(5, 1), Pick, Str];
    let fills = [0.5, 0.03, 0.1, 1.0, 0.15, 0.02, 0.05, 0.01, 0.03, 0.3, 0.01, 0.2, 0.005];
    let mut i = 0;
    while v.len() < ncols {
        let t = kinds[i % kinds.len()];
        let mut f = fills[i % fills.len()];
        if t == Bool {
            f = 1.0
        }
        if t == Long {
            f = 0.02
        }
        v.push(c(&format!("Custom_{i:02}__c"), t, f, if t == Pick { 9 } else { 0 }));
        i += 1;
    }
    (v, prefix)
}
/// 15 -> 18 character Id.
pub fn id18(prefix: &str, n: u64, out: &mut [u8; 18]) {
    const A: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    out[..3].copy_from_slice(prefix.as_bytes());
    out[3..6].copy_from_slice(b"5g0");
    let mut x = n + 916_132_832; // offset: realistic leading digits
    for i in (6..15).rev() {
        out[i] = A[(x % 62) as usize];
        x /= 62;
    }
    suffix(out);
}
pub fn suffix(out: &mut [u8; 18]) {
    const S: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    for k in 0..3 {
        let mut b = 0u8;
        for j in 0..5 {
            if out[k * 5 + j].is_ascii_uppercase() {
                b |= 1 << j
            }
        }
        out[15 + k] = S[b as usize];
    }
}

/// The schema as the vault takes it.
pub fn schema_json(obj: &str, prefix: &str, cols: &[Col]) -> String {
    let fields: Vec<String> = cols
        .iter()
        .map(|c| {
            let t = match c.t {
                T::Id => "\"id\"",
                T::Ref => "\"reference\"",
                T::Bool => "\"boolean\"",
                T::Int => "\"int\"",
                T::Dec(..) => "\"currency\", \"precision\": 18, \"scale\": 2",
                T::LatLon => "\"double\", \"precision\": 18, \"scale\": 6",
                T::Date => "\"date\"",
                T::Ts => "\"datetime\"",
                _ => "\"string\"",
            };
            format!("{{\"name\": \"{}\", \"type\": {t}}}", c.name)
        })
        .collect();
    format!("{{\"name\": \"{obj}\", \"keyPrefix\": \"{prefix}\", \"fields\": [{}]}}\n", fields.join(", "))
}
