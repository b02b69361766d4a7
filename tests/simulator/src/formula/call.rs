//! Functions: which there are, how many parameters they take, and those of logic and numbers.

use super::eval::{Evaluation, too_large, value};
use super::{FormulaError, Given, Node, Number, text, time};

/// Name, fewest and most parameters.
const FUNCTIONS: [(&str, usize, usize); 73] = [
    ("ABS", 1, 1),
    ("ADDMONTHS", 2, 2),
    ("AND", 1, usize::MAX),
    ("ASCII", 1, 1),
    ("BEGINS", 2, 2),
    ("BLANKVALUE", 2, 2),
    ("BR", 0, 0),
    ("CASE", 4, usize::MAX),
    ("CASESAFEID", 1, 1),
    ("CEILING", 1, 1),
    ("CHR", 1, 1),
    ("CONTAINS", 2, 2),
    ("DATE", 3, 3),
    ("DATETIMEVALUE", 1, 1),
    ("DATEVALUE", 1, 1),
    ("DAY", 1, 1),
    ("DAYOFYEAR", 1, 1),
    ("EXP", 1, 1),
    ("FIND", 2, 3),
    ("FLOOR", 1, 1),
    ("FORMATDURATION", 1, 3),
    ("FROMUNIXTIME", 1, 1),
    ("HOUR", 1, 1),
    ("HTMLENCODE", 1, 1),
    ("HYPERLINK", 2, 3),
    ("IF", 3, 3),
    ("IMAGE", 2, 4),
    ("INCLUDES", 2, 2),
    ("INITCAP", 1, 1),
    ("ISBLANK", 1, 1),
    ("ISCHANGED", 1, 1),
    ("ISCLONE", 0, 0),
    ("ISNEW", 0, 0),
    ("ISNULL", 1, 1),
    ("ISNUMBER", 1, 1),
    ("ISPICKVAL", 2, 2),
    ("JSENCODE", 1, 1),
    ("LEFT", 2, 2),
    ("LEN", 1, 1),
    ("LN", 1, 1),
    ("LOG", 1, 1),
    ("LOWER", 1, 2),
    ("LPAD", 2, 3),
    ("MAX", 1, usize::MAX),
    ("MCEILING", 1, 1),
    ("MFLOOR", 1, 1),
    ("MID", 3, 3),
    ("MILLISECOND", 1, 1),
    ("MIN", 1, usize::MAX),
    ("MINUTE", 1, 1),
    ("MOD", 2, 2),
    ("MONTH", 1, 1),
    ("NOT", 1, 1),
    ("NOW", 0, 0),
    ("NULLVALUE", 2, 2),
    ("OR", 1, usize::MAX),
    ("PRIORVALUE", 1, 1),
    ("REGEX", 2, 2),
    ("REVERSE", 1, 1),
    ("RIGHT", 2, 2),
    ("ROUND", 2, 2),
    ("RPAD", 2, 3),
    ("SECOND", 1, 1),
    ("SQRT", 1, 1),
    ("SUBSTITUTE", 3, 3),
    ("TEXT", 1, 1),
    ("TIMENOW", 0, 0),
    ("TIMEVALUE", 1, 1),
    ("TODAY", 0, 0),
    ("TRIM", 1, 1),
    ("TRUNC", 1, 2),
    ("UPPER", 1, 2),
    ("URLENCODE", 1, 1),
];
/// The rest, in a second list for the sake of its length.
const MORE: [(&str, usize, usize); 5] =
    [("UNIXTIMESTAMP", 1, 1), ("VALUE", 1, 1), ("WEEKDAY", 1, 1), ("YEAR", 1, 1), ("ISOWEEK", 1, 1)];

/// A call of a function that there is, with as many parameters as it takes.
pub(super) fn checked(name: &str, parameters: Vec<Node>) -> Result<Node, FormulaError> {
    let known = FUNCTIONS.iter().chain(&MORE).find(|(known, ..)| known.eq_ignore_ascii_case(name));
    let Some(&(name, fewest, most)) = known else {
        return Err(FormulaError::Function(name.to_ascii_uppercase()));
    };
    let received = parameters.len();
    // CASE has an expression, pairs of a value and a result, and a result for all else
    let even = name != "CASE" || received.is_multiple_of(2);
    if received < fewest || received > most || !even {
        let expected = if fewest == most { fewest.to_string() } else { format!("at least {fewest}") };
        return Err(FormulaError::Parameters { name, expected, received });
    }
    if matches!(name, "ISCHANGED" | "PRIORVALUE") && !matches!(parameters[0], Node::Field(_)) {
        return Err(FormulaError::Type { place: format!("{name}()"), expected: "Field", received: "value" });
    }
    Ok(Node::Call(name, parameters))
}

/// The value of a call.
pub(super) fn call(
    evaluation: &Evaluation<'_>,
    name: &'static str,
    parameters: &[Node],
) -> Result<Given, FormulaError> {
    let given = |number: usize| match parameters.get(number) {
        Some(node) => evaluation.value(node),
        None => Ok(Given::Null),
    };
    match name {
        "IF" => given(if given(0)?.as_bool("IF()")? { 1 } else { 2 }),
        "AND" => evaluation.all(parameters, "AND()"),
        "OR" => evaluation.any(parameters, "OR()"),
        "NOT" => Ok(Given::Bool(!given(0)?.as_bool("NOT()")?)),
        "CASE" => case(evaluation, parameters),
        // a text is never null, which is why Salesforce advises against ISNULL
        "ISNULL" => Ok(Given::Bool(matches!(given(0)?, Given::Null) && !evaluation.zeros)),
        "ISBLANK" => Ok(Given::Bool(given(0)?.is_blank())),
        "NULLVALUE" => match given(0)? {
            Given::Null => given(1),
            value => Ok(value),
        },
        "BLANKVALUE" => match given(0)? {
            value if value.is_blank() => given(1),
            value => Ok(value),
        },
        "ISNEW" => Ok(Given::Bool(evaluation.context.is_new())),
        "ISCLONE" => Ok(Given::Bool(false)),
        "ISCHANGED" | "PRIORVALUE" => prior(evaluation, name, parameters),
        "ABS" | "CEILING" | "FLOOR" | "MCEILING" | "MFLOOR" | "SQRT" | "LN" | "LOG" | "EXP" | "ROUND"
        | "TRUNC" | "MOD" => math(evaluation, name, parameters),
        "MAX" | "MIN" => extreme(evaluation, name, parameters),
        "ADDMONTHS" | "DATE" | "DATEVALUE" | "DATETIMEVALUE" | "TIMEVALUE" | "DAY" | "DAYOFYEAR"
        | "MONTH" | "YEAR" | "WEEKDAY" | "HOUR" | "MINUTE" | "SECOND" | "MILLISECOND" | "TODAY" | "NOW"
        | "TIMENOW" | "FROMUNIXTIME" | "UNIXTIMESTAMP" | "ISOWEEK" => {
            time::call(evaluation, name, parameters)
        }
        _ => text::call(evaluation, name, parameters),
    }
}

fn case(evaluation: &Evaluation<'_>, parameters: &[Node]) -> Result<Given, FormulaError> {
    let Some(((expression, pairs), last)) = parameters
        .split_first()
        .and_then(|(first, rest)| Some(((first, &rest[..rest.len() - 1]), rest.last()?)))
    else {
        return Ok(Given::Null);
    };
    let expression = evaluation.value(expression)?;
    for pair in pairs.chunks_exact(2) {
        if evaluation.same(expression.clone(), evaluation.value(&pair[0])?)? {
            return evaluation.value(&pair[1]);
        }
    }
    evaluation.value(last)
}

fn prior(evaluation: &Evaluation<'_>, name: &str, parameters: &[Node]) -> Result<Given, FormulaError> {
    let [Node::Field(path)] = parameters else { return Ok(Given::Null) };
    let before = evaluation.context.prior(path)?;
    if name == "PRIORVALUE" {
        return Ok(before);
    }
    // documented: a record that is being made has no changes
    if evaluation.context.is_new() {
        return Ok(Given::Bool(false));
    }
    let now = evaluation.context.field(path)?;
    Ok(Given::Bool(!(before == now || before.is_blank() && now.is_blank())))
}

fn math(evaluation: &Evaluation<'_>, name: &str, parameters: &[Node]) -> Result<Given, FormulaError> {
    let place = format!("{name}()");
    let Some(number) = evaluation.number(&parameters[0], &place)? else { return Ok(Given::Null) };
    let second = match parameters.get(1) {
        Some(node) => match evaluation.number(node, &place)? {
            Some(second) => second,
            None => return Ok(Given::Null),
        },
        None => Number::ZERO,
    };
    let digits = || second.to_i64().map_or(0, |digits| digits.clamp(-18, 18) as i32);
    let float = |number: f64| Number::from_f64(number).ok_or_else(|| value("Not a number"));
    Ok(Given::Number(match name {
        "ABS" => {
            if number.is_negative() {
                number.negative()
            } else {
                number
            }
        }
        // documented: numbers below zero are rounded away from zero by CEILING and FLOOR, by MCEILING and MFLOOR not
        "CEILING" => number.toward(!number.is_negative()),
        "FLOOR" => number.toward(number.is_negative()),
        "MCEILING" => number.toward(true),
        "MFLOOR" => number.toward(false),
        "SQRT" => float(number.to_f64().sqrt())?,
        "LN" => float(number.to_f64().ln())?,
        "LOG" => float(number.to_f64().log10())?,
        "EXP" => float(number.to_f64().exp())?,
        "ROUND" => number.rounded(digits()),
        "TRUNC" => {
            let shift =
                Number::whole(10).to_the(Number::whole(i64::from(digits().max(0)))).ok_or_else(too_large)?;
            let shifted = number.times(shift).ok_or_else(too_large)?;
            shifted.toward(number.is_negative()).over(shift).ok_or_else(too_large)?
        }
        _ => {
            if second.is_zero() {
                return Err(value("Divide by zero"));
            }
            let times = number.over(second).ok_or_else(too_large)?;
            let times = times.toward(times.is_negative());
            number.minus(times.times(second).ok_or_else(too_large)?).ok_or_else(too_large)?
        }
    }))
}

fn extreme(evaluation: &Evaluation<'_>, name: &str, parameters: &[Node]) -> Result<Given, FormulaError> {
    let mut found: Option<Number> = None;
    for node in parameters {
        let Some(number) = evaluation.number(node, &format!("{name}()"))? else { return Ok(Given::Null) };
        let better = found.is_none_or(|found| if name == "MAX" { number > found } else { number < found });
        if better {
            found = Some(number);
        }
    }
    Ok(found.map_or(Given::Null, Given::Number))
}
