//! From words to a tree. Precedence as Salesforce documents its operators: `^`, then `* /`, `+ - &`, comparisons,
//! `&&`, `||`.

use super::call;
use super::lex::{Word, syntax, words};
use super::{FormulaError, Node, Number, Operator};

/// Brackets and functions in each other at most.
const DEEPEST: usize = 60;
/// Characters of a formula at most (documented).
const LONGEST: usize = 3_900;

/// Reads a formula.
pub(super) fn parse(text: &str) -> Result<Node, FormulaError> {
    if text.len() > LONGEST && text.chars().count() > LONGEST {
        return Err(syntax(LONGEST, "Formula is too long. Maximum length is 3,900 characters."));
    }
    let mut parser = Parser { words: words(text)?, at: 0, end: text.len(), depth: 0 };
    let node = parser.either()?;
    match parser.words.get(parser.at) {
        None => Ok(node),
        Some((at, word)) => Err(syntax(*at, &format!("Extra {}", shown(word)))),
    }
}

fn shown(word: &Word) -> String {
    match word {
        Word::Name(name) | Word::Number(name) => format!("'{name}'"),
        Word::Text(text) => format!("'\"{text}\"'"),
        Word::Sign(sign) => format!("'{sign}'"),
    }
}

struct Parser {
    words: Vec<(usize, Word)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn sign(&mut self, signs: &[(&str, Operator)]) -> Option<Operator> {
        let Some((_, Word::Sign(sign))) = self.words.get(self.at) else { return None };
        let found = signs.iter().find(|(known, _)| known == sign)?.1;
        self.at += 1;
        Some(found)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.words.get(self.at), Some((_, Word::Sign(known))) if *known == sign);
        self.at += usize::from(found);
        found
    }

    fn needs(&mut self, sign: &str) -> Result<(), FormulaError> {
        if self.takes(sign) { Ok(()) } else { Err(self.missing(&format!("'{sign}'"))) }
    }

    fn missing(&self, what: &str) -> FormulaError {
        match self.words.get(self.at) {
            Some((at, word)) => syntax(*at, &format!("Missing {what}, found {}", shown(word))),
            None => syntax(self.end, &format!("Missing {what}")),
        }
    }

    fn deeper(&mut self) -> Result<(), FormulaError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(syntax(self.end, "too many brackets in each other"));
        }
        Ok(())
    }

    fn either(&mut self) -> Result<Node, FormulaError> {
        self.deeper()?;
        let mut nodes = vec![self.both()?];
        while self.takes("||") {
            nodes.push(self.both()?);
        }
        self.depth -= 1;
        Ok(if nodes.len() > 1 { Node::Or(nodes) } else { nodes.remove(0) })
    }

    fn both(&mut self) -> Result<Node, FormulaError> {
        let mut nodes = vec![self.comparison()?];
        while self.takes("&&") {
            nodes.push(self.comparison()?);
        }
        Ok(if nodes.len() > 1 { Node::And(nodes) } else { nodes.remove(0) })
    }

    fn comparison(&mut self) -> Result<Node, FormulaError> {
        const SIGNS: [(&str, Operator); 8] = [
            ("=", Operator::Equal),
            ("==", Operator::Equal),
            ("<>", Operator::Unequal),
            ("!=", Operator::Unequal),
            ("<", Operator::Less),
            ("<=", Operator::AtMost),
            (">", Operator::Greater),
            (">=", Operator::AtLeast),
        ];
        self.chain(&SIGNS, Self::sum)
    }

    fn sum(&mut self) -> Result<Node, FormulaError> {
        const SIGNS: [(&str, Operator); 3] =
            [("+", Operator::Add), ("-", Operator::Subtract), ("&", Operator::Join)];
        self.chain(&SIGNS, Self::product)
    }

    fn product(&mut self) -> Result<Node, FormulaError> {
        self.chain(&[("*", Operator::Multiply), ("/", Operator::Divide)], Self::signed)
    }

    fn chain(
        &mut self,
        signs: &[(&str, Operator)],
        part: fn(&mut Self) -> Result<Node, FormulaError>,
    ) -> Result<Node, FormulaError> {
        let mut node = part(self)?;
        while let Some(operator) = self.sign(signs) {
            node = Node::Binary(operator, Box::new(node), Box::new(part(self)?));
        }
        Ok(node)
    }

    fn signed(&mut self) -> Result<Node, FormulaError> {
        let mut signs = Vec::new();
        while let Some((_, Word::Sign(sign @ ("-" | "+" | "!")))) = self.words.get(self.at) {
            signs.push(*sign);
            if signs.len() > DEEPEST {
                return Err(syntax(self.end, "too many signs"));
            }
            self.at += 1;
        }
        let mut node = self.chain(&[("^", Operator::Power)], Self::operand)?;
        for sign in signs.into_iter().rev() {
            node = match sign {
                "-" => Node::Negative(Box::new(node)),
                "!" => Node::Not(Box::new(node)),
                _ => node,
            };
        }
        Ok(node)
    }

    fn operand(&mut self) -> Result<Node, FormulaError> {
        if self.takes("(") {
            let node = self.either()?;
            self.needs(")")?;
            return Ok(node);
        }
        if self.takes("-") {
            self.deeper()?;
            let node = Node::Negative(Box::new(self.operand()?));
            self.depth -= 1;
            return Ok(node);
        }
        let Some((at, word)) = self.words.get(self.at).cloned() else {
            return Err(self.missing("an operand"));
        };
        let node = match word {
            Word::Text(text) => Node::Text(text),
            Word::Number(text) => Node::Number(
                Number::parse(&text).ok_or_else(|| syntax(at, &format!("'{text}' is no number")))?,
            ),
            Word::Name(name) => {
                self.at += 1;
                return self.named(at, &name);
            }
            Word::Sign(_) => return Err(self.missing("an operand")),
        };
        self.at += 1;
        Ok(node)
    }

    fn named(&mut self, at: usize, name: &str) -> Result<Node, FormulaError> {
        if self.takes("(") {
            let mut parameters = Vec::new();
            if !self.takes(")") {
                loop {
                    parameters.push(self.either()?);
                    if self.takes(")") {
                        break;
                    }
                    self.needs(",")?;
                }
            }
            return call::checked(name, parameters);
        }
        Ok(match name.to_ascii_uppercase().as_str() {
            "TRUE" => Node::Bool(true),
            "FALSE" => Node::Bool(false),
            "NULL" => Node::Null,
            _ => {
                let path: Vec<String> = name.split('.').map(str::to_owned).collect();
                if path.iter().any(String::is_empty) {
                    return Err(syntax(at, &format!("'{name}' is no name")));
                }
                Node::Field(path)
            }
        })
    }
}
