use std::sync::Arc;

use super::*;
use crate::org::tests::org_with;
use crate::store::World;
use crate::value::{Cell, Id};

/// No record: only what needs none can be evaluated.
struct Nothing;

impl Context for Nothing {
    fn field(&self, path: &[String]) -> Result<Given, FormulaError> {
        Err(FormulaError::Field(path.join(".")))
    }

    fn prior(&self, path: &[String]) -> Result<Given, FormulaError> {
        self.field(path)
    }

    fn is_new(&self) -> bool {
        true
    }

    fn now(&self) -> i64 {
        // 2023-11-14T22:13:20Z
        1_700_000_000_000
    }
}

fn shown(formula: &str) -> String {
    match Formula::parse(formula).and_then(|formula| formula.value(&Nothing)) {
        Ok(Given::Null) => "null".to_owned(),
        Ok(given) => given.to_text(),
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn operators_and_functions_give_what_is_documented() {
    for (formula, expected) in [
        ("1 + 2 * 3 ^ 2", "19"),
        ("-2 ^ 2", "-4"),
        ("(1 + 2) * 3", "9"),
        ("10 / 4", "2.5"),
        ("1 / 3", "0.333333333333333333"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 0", "! Divide by zero"),
        ("\"a\" & 'b' & 1", "ab1"),
        ("'a' + \"b\"", "ab"),
        ("1 + NULL", "null"),
        ("1 = 1.0 && 2 <> 3 || 1 / 0 = 1", "true"),
        ("NOT(1 > 2) && !FALSE", "true"),
        ("IF(1 > NULL, 'yes', 'no')", "no"),
        ("NULL = ''", "true"),
        ("CASE(3, 1, 'one', 3, 'three', 'other')", "three"),
        ("CASE(4, 1, 'one', 3, 'three', 'other')", "other"),
        ("ISBLANK('') && ISNULL(NULL) && NOT(ISNULL(''))", "true"),
        ("BLANKVALUE('', 'x') & NULLVALUE(NULL, 'y')", "xy"),
        ("ROUND(2.345, 2) & ' ' & ROUND(-2.5, 0) & ' ' & ROUND(1234, -2)", "2.35 -3 1200"),
        ("CEILING(2.1) & FLOOR(2.9) & ' ' & CEILING(-2.1) & FLOOR(-2.9)", "32 -3-2"),
        ("MCEILING(-2.1) & MFLOOR(-2.9)", "-2-3"),
        ("MOD(7, 3) & MOD(-7, 3)", "1-1"),
        ("MAX(1, 5, 3) & MIN(4, 2)", "52"),
        ("SQRT(16) & ABS(-3) & TRUNC(2.99)", "432"),
        ("LEFT('abcdef', 2) & RIGHT('abcdef', 2) & MID('abcdef', 3, 2)", "abefcd"),
        ("LEN(TRIM('  ab ')) & UPPER('x') & LOWER('Y')", "2Xy"),
        ("CONTAINS('abc', 'bc') && BEGINS('abc', 'ab') && FIND('c', 'abc') = 3", "true"),
        ("FIND('a', 'abab', 2) & FIND('z', 'ab')", "30"),
        ("SUBSTITUTE('a-b-c', '-', '.') & LPAD('7', 3, '0') & RPAD('ab', 1)", "a.b.c007a"),
        ("REGEX('123-45', '\\\\d{3}-\\\\d{2}') && NOT(REGEX('1234', '\\\\d{3}'))", "true"),
        ("VALUE('12.50') + 1", "13.5"),
        ("VALUE('x')", "! Not a number"),
        ("TODAY()", "2023-11-14"),
        ("NOW()", "2023-11-14 22:13:20Z"),
        ("DATE(2024, 2, 29) + 1", "2024-03-01"),
        ("DATE(2024, 2, 30)", "! Invalid date"),
        ("DATE(2024, 3, 1) - DATE(2024, 2, 1)", "29"),
        ("ADDMONTHS(DATE(2024, 1, 31), 1) & ' ' & ADDMONTHS(DATE(2024, 2, 29), 12)", "2024-02-29 2025-02-28"),
        ("YEAR(TODAY()) & MONTH(TODAY()) & DAY(TODAY()) & WEEKDAY(TODAY())", "202311143"),
        ("DATEVALUE('2024-05-06') & DATEVALUE(NOW())", "2024-05-062023-11-14"),
        ("DATETIMEVALUE('2024-05-06 07:08:09') - DATETIMEVALUE('2024-05-06 01:08:09')", "0.25"),
        ("TEXT(NOW() + 0.5)", "2023-11-15 10:13:20Z"),
        ("HYPERLINK('/a', 'b', '_self')", "<a href=\"/a\" target=\"_self\">b</a>"),
        ("CASESAFEID('001000000000001')", "001000000000001AAA"),
        ("ISNEW()", "true"),
        ("today() = ToDay() /* in any case */", "true"),
        ("VLOOKUP(a, b, c)", "! Unknown function VLOOKUP. Check spelling."),
        ("LEFT('a')", "! Incorrect number of parameters for function 'LEFT()'. Expected 2, received 1"),
        ("1 +", "! Syntax error at character 3: Missing an operand"),
        ("(1", "! Syntax error at character 2: Missing ')'"),
        ("1 2", "! Syntax error at character 2: Extra '2'"),
        ("'a", "! Syntax error at character 0: a text without an end"),
        (
            "1 + TRUE",
            "! Incorrect parameter type for operator '+'. Expected Number, Date, DateTime, received Boolean",
        ),
        ("Nope__c", "! Field Nope__c does not exist. Check spelling."),
    ] {
        assert_eq!(shown(formula), expected, "{formula}");
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let signs = format!("{}1", "-".repeat(3_000));
    let powers = format!("1{}", "^--".repeat(1_000));
    let brackets = format!("{}1{}", "(".repeat(1_900), ")".repeat(1_900));
    for text in [signs, powers, brackets, " ".repeat(3_901)] {
        assert!(matches!(Formula::parse(&text), Err(FormulaError::Syntax { .. })), "{text}");
    }
    assert_eq!(shown(&format!("1{}", " + 1".repeat(900))), "901");
}

proptest::proptest! {
    /// Whatever is written there is a formula or an error, never a fall.
    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_$.:,()'\"&|<>=!+*/^ \\\\-]{0,60}") {
        if let Ok(formula) = Formula::parse(&text) {
            let _ = formula.value(&Nothing);
        }
    }
}

/// The formulas of public projects: all of them can be read.
#[test]
fn formulas_of_the_corpus_are_read() {
    let corpus: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../tests/formulas/corpus.json")).unwrap();
    for entry in &corpus {
        let formula = entry["formula"].as_str().unwrap();
        assert!(Formula::parse(formula).is_ok(), "{}: {:?}", entry["file"], Formula::parse(formula));
    }
    assert_eq!(corpus.len(), 25);
}

const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Employees: {type: int}
      Rate: {type: percent, precision: 5, scale: 2}
      Rating: {type: picklist, values: [Hot, Cold]}
      ParentId: {type: reference, to: [Account], children: ChildAccounts}
      Double__c: {type: double, precision: 18, scale: 1, formula: 'Employees * 2.25'}
      Filled__c: {type: double, precision: 18, scale: 0, formula: 'Employees + 1', blankAsZero: true}
      Half__c: {type: percent, precision: 5, scale: 1, formula: 'Rate / 2'}
      Hot__c: {type: boolean, formula: 'ISPICKVAL(Rating, ''Hot'')'}
      Above__c: {type: string, formula: 'Parent.Name & ''/'' & Owner.Username'}
      Own__c: {type: boolean, formula: 'Id = $User.Id || OwnerId = $User.Id'}
      Chain__c: {type: string, formula: '''<'' & Above__c & ''>'''}
      Ring__c: {type: double, precision: 9, scale: 0, formula: 'Ring__c + 1'}
      Odd__c: {type: string, length: 20, formula: 'VLOOKUP(1, 2, 3)'}
      Zero__c: {type: double, precision: 9, scale: 0, formula: '1 / (Employees - Employees)'}
      Lines__c: {type: double, precision: 9, scale: 0, rollUp: {of: Line__c, by: Account__c}}
      Sum__c:
        type: currency
        precision: 18
        scale: 2
        rollUp:
          {of: Line__c, by: Account__c, operation: sum, field: Amount__c,
           where: [{field: Open__c, operation: equals, value: 'True'}]}
      Last__c: {type: date, rollUp: {of: Line__c, by: Account__c, operation: max, field: Day__c}}
      Least__c: {type: currency, precision: 9, scale: 2, rollUp: {of: Line__c, by: Account__c, operation: min, field: Twice__c}}
  Line__c:
    fields:
      Account__c: {type: masterdetail, to: [Account], children: Lines__r}
      Amount__c: {type: currency, precision: 9, scale: 2}
      Twice__c: {type: currency, precision: 9, scale: 2, formula: 'Amount__c * 2'}
      Open__c: {type: boolean}
      Day__c: {type: date}
";
const ACCOUNTS: &str = "Id,Name,Employees,Rate,Rating,ParentId\nroot,Root,,,,\na,A,10,50,Hot,root\n";
const LINES: &str = "Id,Name,Account__c,Amount__c,Open__c,Day__c\n1,L1,a,10.50,true,2024-01-02\n2,L2,a,2,true,2024-03-04\n3,L3,a,100,false,\n";

fn world() -> World {
    let files = [("schema.yaml", SCHEMA), ("data/Account.csv", ACCOUNTS), ("data/Line__c.csv", LINES)];
    org_with(&files, &[]).unwrap().into_parts().1
}

fn cell(world: &World, name: &str, field: &str) -> String {
    let object = world.schema.find("Account").unwrap();
    let described = world.schema.object(object);
    let named = described.find("Name").unwrap();
    let id = world.database.with_value(&world.schema, object, named, Cell::Text(name))[0];
    let row = world.database.find(object, id).unwrap();
    let field = described.find(field).unwrap();
    crate::store::plain(world.database.cell(&world.schema, object, row, field, &mut String::new()))
}

#[test]
fn fields_are_computed_when_they_are_read() {
    let world = world();
    let user = world.schema.find("User").and_then(|user| world.database.table(user).stored_ids().next());
    let read = World { database: world.database.clone().read_by(user), ..world.clone() };
    for (field, expected) in [
        ("Double__c", "22.5"),
        ("Filled__c", "11.0"),
        ("Half__c", "25.0"),
        ("Hot__c", "true"),
        ("Above__c", "Root/admin@acme.example"),
        ("Chain__c", "<Root/admin@acme.example>"),
        ("Own__c", "true"),
        ("Ring__c", ""),
        ("Odd__c", ""),
        ("Zero__c", ""),
        ("Lines__c", "3.0"),
        ("Sum__c", "12.5"),
        ("Last__c", "2024-03-04"),
        ("Least__c", "4.0"),
    ] {
        assert_eq!(cell(&read, "A", field), expected, "{field}");
    }
    for (field, expected) in [
        ("Double__c", ""),
        ("Filled__c", "1.0"),
        ("Hot__c", "false"),
        ("Above__c", "/admin@acme.example"),
        ("Lines__c", "0.0"),
        ("Sum__c", "0.0"),
        ("Last__c", ""),
    ] {
        assert_eq!(cell(&read, "Root", field), expected, "{field}");
    }
    assert_eq!(cell(&world, "A", "Own__c"), "false");
}

#[test]
fn a_changed_schema_keeps_roll_ups() {
    let mut world = world();
    let change = serde_json::from_value(serde_json::json!(
        {"do": "addField", "object": "Account", "field": "More__c", "definition": {"type": "string", "length": 5}}
    ));
    world.change_schema(&change.unwrap(), 0).unwrap();
    assert_eq!(cell(&world, "A", "Sum__c"), "12.5");
}

#[test]
fn variables_lead_where_they_say() {
    let mut world = world();
    let object = world.schema.find("Account").unwrap();
    let user =
        world.schema.find("User").and_then(|user| world.database.table(user).stored_ids().next()).unwrap();
    let around = world.database.surroundings_mut();
    around.labels.insert("Done".to_owned(), "Fertig".to_owned());
    around.permissions.insert(user, ["Bypass".to_owned()].into());
    let row = crate::store::Row::new(Id::new(*b"001", 1));
    let database = world.database.clone().read_by(Some(user));
    let schema = Arc::clone(&world.schema);
    let record = Record::read(&schema, &database, object, crate::store::RowRef::Stored(&row));
    for (formula, expected) in [
        ("$Label.Done", "Fertig"),
        ("$Permission.Bypass && NOT($Permission.Other)", "true"),
        ("$User.Username", "admin@acme.example"),
        ("$Organization.Name", "Acme"),
        ("ISBLANK($Profile.Name)", "false"),
        ("YEAR(DATEVALUE($System.OriginDateTime))", "1900"),
    ] {
        assert_eq!(Formula::parse(formula).unwrap().value(&record).unwrap().to_text(), expected, "{formula}");
    }
    for unknown in ["$Label.Nope", "$Setup.A__c.B__c", "$Nope.A", "Parent.Nope__c", "Nope.Name", "Owner.Nope"]
    {
        let error = Formula::parse(unknown).unwrap().value(&record).unwrap_err();
        assert_eq!(error, FormulaError::Field(unknown.to_owned()));
    }
}
