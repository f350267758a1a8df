//! Dependencies as rpm writes them: a capability, or a rich dependency in parentheses (rpm's doc/manual/boolean_dependencies.md).
//!
//! Grammar, with the words of rpm: operators stand between blanks; `and`, `or` and `with` may be chained, but not mixed without
//! parentheses; `if` and `unless` take one optional `else`; `with` and `without` are about one package and hold no `and`, `if` or
//! `unless`. Names keep their own parentheses: `libc.so.6(GLIBC_2.34)(64bit)`.

use std::fmt;

use crate::capability::{Capability, Relation};
use crate::fault::ParseError;

/// Parentheses in parentheses; far above anything in a distribution, far below the stack's end.
const NESTING_MAX: usize = 64;

/// What a package wants of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependency {
    /// A name, perhaps with a range of versions.
    Capability(Capability),
    /// All of them.
    And(Vec<Dependency>),
    /// At least one of them.
    Or(Vec<Dependency>),
    /// One package that answers all of them.
    With(Vec<Dependency>),
    /// One package that answers the first and not the second.
    Without(Box<Dependency>, Box<Dependency>),
    /// The first when the second holds, the third when it does not.
    If(Box<Dependency>, Box<Dependency>, Option<Box<Dependency>>),
    /// The first and not the second; the third when the second holds.
    Unless(Box<Dependency>, Box<Dependency>, Option<Box<Dependency>>),
}

impl Dependency {
    /// Reads a dependency; what is wrong has a column.
    pub fn parse(text: &str) -> Result<Dependency, ParseError> {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        let dependency = if reader.rest().starts_with('(') { reader.rich(0)? } else { reader.capability(false)? };
        reader.blanks();
        if !reader.rest().is_empty() {
            return Err(reader.fault("the end of the dependency"));
        }
        Ok(dependency)
    }

    /// About one package: capabilities, and `or`, `with` and `without` over them.
    fn about_one(&self) -> bool {
        match self {
            Dependency::Capability(_) => true,
            Dependency::Or(parts) | Dependency::With(parts) => parts.iter().all(Dependency::about_one),
            Dependency::Without(left, right) => left.about_one() && right.about_one(),
            _ => false,
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |f: &mut fmt::Formatter<'_>, parts: &[Dependency], word: &str| {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            write!(f, "({})", parts.join(&format!(" {word} ")))
        };
        let branch = |f: &mut fmt::Formatter<'_>,
                      left: &Dependency,
                      word: &str,
                      right: &Dependency,
                      last: Option<&Dependency>| {
            write!(f, "({left} {word} {right}")?;
            match last {
                Some(last) => write!(f, " else {last})"),
                None => f.write_str(")"),
            }
        };
        match self {
            Dependency::Capability(capability) => write!(f, "{capability}"),
            Dependency::And(parts) => chain(f, parts, "and"),
            Dependency::Or(parts) => chain(f, parts, "or"),
            Dependency::With(parts) => chain(f, parts, "with"),
            Dependency::Without(left, right) => branch(f, left, "without", right, None),
            Dependency::If(left, right, last) => branch(f, left, "if", right, last.as_deref()),
            Dependency::Unless(left, right, last) => branch(f, left, "unless", right, last.as_deref()),
        }
    }
}

/// A text and how far it was read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, expected: &str) -> ParseError {
        ParseError::new(self.text, self.at, expected)
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Up to a blank, or to a `)` that this word did not open.
    fn word(&mut self) -> &'a str {
        let mut depth = 0_usize;
        let mut end = self.rest().len();
        for (at, character) in self.rest().char_indices() {
            match character {
                '(' => depth += 1,
                ')' if depth == 0 => {
                    end = at;
                    break;
                }
                ')' => depth -= 1,
                _ if character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let word = &self.rest()[..end];
        self.at += end;
        word
    }

    /// `name [relation version]`.
    fn capability(&mut self, inside: bool) -> Result<Dependency, ParseError> {
        self.blanks();
        let start = self.at;
        let name = self.word();
        if name.is_empty() {
            return Err(self.fault("a capability"));
        }
        if Relation::parse(name).is_some() || (inside && OPERATORS.contains(&name)) {
            self.at = start;
            return Err(self.fault("the name of a capability"));
        }
        if !name.starts_with(|c: char| c.is_alphanumeric() || "_/.(%+-".contains(c)) {
            self.at = start;
            return Err(self.fault("a name that begins with a letter, a digit, `_` or `/`"));
        }
        if name.matches('(').count() != name.matches(')').count() {
            return Err(self.fault("`)`"));
        }
        let after_name = self.at;
        self.blanks();
        let operator = self.word();
        let Some(relation) = Relation::parse(operator) else {
            if operator.starts_with(['<', '>', '=', '!']) {
                self.at -= operator.len();
                return Err(self.fault("one of `<`, `<=`, `=`, `>=`, `>`, followed by a blank"));
            }
            self.at = after_name;
            return Ok(Dependency::Capability(Capability { name: name.to_owned(), version: None }));
        };
        self.blanks();
        let version = self.word();
        let colon = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        if version[colon..].trim_start_matches(':').is_empty() && (version.is_empty() || version.ends_with(':')) {
            return Err(self.fault("a version"));
        }
        Ok(Dependency::Capability(Capability { name: name.to_owned(), version: Some((relation, version.to_owned())) }))
    }

    fn operand(&mut self, depth: usize) -> Result<Dependency, ParseError> {
        self.blanks();
        if self.rest().starts_with('(') { self.rich(depth + 1) } else { self.capability(true) }
    }

    /// The operator that follows, when it is one of these.
    fn operator(&mut self, allowed: &[&'static str]) -> Option<&'static str> {
        self.blanks();
        let start = self.at;
        let word = self.word();
        let found = allowed.iter().find(|name| **name == word).copied();
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// After `(` up to and with its `)`.
    fn rich(&mut self, depth: usize) -> Result<Dependency, ParseError> {
        if depth >= NESTING_MAX {
            return Err(self.fault("at most 64 parentheses in parentheses"));
        }
        self.at += 1;
        let first_at = self.at;
        let first = self.operand(depth)?;
        let Some(word) = self.operator(&OPERATORS[..6]) else {
            self.blanks();
            if self.rest().starts_with(')') {
                self.at += 1;
                return Ok(first);
            }
            return Err(self.fault("`and`, `or`, `if`, `unless`, `with`, `without` or `)`"));
        };
        let second_at = self.at;
        let second = self.operand(depth)?;
        let single = |part: &Dependency, at: usize| {
            if part.about_one() {
                Ok(())
            } else {
                let at = at + self.text[at..].len() - self.text[at..].trim_start().len();
                Err(ParseError::new(
                    self.text,
                    at,
                    format!("capabilities, `or`, `with` or `without` beside `{word}`: it is about one package"),
                ))
            }
        };
        if word == "with" || word == "without" {
            single(&first, first_at)?;
            single(&second, second_at)?;
        }
        let dependency = match word {
            "and" | "or" | "with" => {
                let mut parts = vec![first, second];
                while self.operator(&[word]).is_some() {
                    let at = self.at;
                    let part = self.operand(depth)?;
                    if word == "with" && !part.about_one() {
                        return Err(ParseError::new(self.text, at + 1, "a part about one package beside `with`"));
                    }
                    parts.push(part);
                }
                match word {
                    "and" => Dependency::And(parts),
                    "or" => Dependency::Or(parts),
                    _ => Dependency::With(parts),
                }
            }
            "without" => Dependency::Without(Box::new(first), Box::new(second)),
            _ => {
                let last = match self.operator(&["else"]) {
                    Some(_) => Some(Box::new(self.operand(depth)?)),
                    None => None,
                };
                if word == "if" {
                    Dependency::If(Box::new(first), Box::new(second), last)
                } else {
                    Dependency::Unless(Box::new(first), Box::new(second), last)
                }
            }
        };
        self.blanks();
        if !self.rest().starts_with(')') {
            let has_else = matches!(&dependency, Dependency::If(_, _, Some(_)) | Dependency::Unless(_, _, Some(_)));
            let expected = match word {
                "and" | "or" | "with" => format!("`{word}` or `)`; other operators need parentheses of their own"),
                "if" | "unless" if !has_else => "`else` or `)`".to_owned(),
                _ => "`)`".to_owned(),
            };
            return Err(self.fault(&expected));
        }
        self.at += 1;
        Ok(dependency)
    }
}

/// The words of the language; `else` comes last, because nothing begins with it.
const OPERATORS: [&str; 7] = ["and", "or", "if", "unless", "with", "without", "else"];

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::Dependency;

    #[test]
    fn what_is_read_is_printed() {
        for text in [
            "a",
            "a >= 1:2.0~rc1-3^git",
            "/usr/bin/sh",
            "libc.so.6(GLIBC_2.34)(64bit)",
            "pkgconfig(a) = 1",
            "(a and b and c)",
            "(a or b >= 2 or libx.so.1()(64bit))",
            "(a if b)",
            "(a if b else c)",
            "(a unless (b or c) else d)",
            "((a with b < 3) or (c without d))",
            "((a if (b and c)) and (d or (e if f)))",
            "(python3dist(x) >= 1 with python3dist(x) < 2)",
        ] {
            let read = Dependency::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(Dependency::parse("(a)").expect("one").to_string(), "a");
        assert_eq!(Dependency::parse("  a   ==  1 ").expect("one").to_string(), "a = 1");
    }

    #[test]
    fn mistakes_have_a_column() {
        let said: Vec<String> = [
            "",
            "a >=",
            "a => 1",
            "a = 1:",
            ">= 1",
            "a b",
            "a = 1 2",
            "()",
            "(a",
            "(a and b",
            "(a and b or c)",
            "(a if b if c)",
            "(a if b else c else d)",
            "(a and)",
            "(a or or)",
            "(a and b) c",
            "((a and b) with c)",
            "(a without (b if c))",
            "liba(b",
            "!a",
            "(ä und b)",
        ]
        .into_iter()
        .map(|text| Dependency::parse(text).expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        ``, column 1: expected a capability, found the end
        `a >=`, column 5: expected a version, found the end
        `a => 1`, column 3: expected one of `<`, `<=`, `=`, `>=`, `>`, followed by a blank, found `=> 1`
        `a = 1:`, column 7: expected a version, found the end
        `>= 1`, column 1: expected the name of a capability, found `>= 1`
        `a b`, column 3: expected the end of the dependency, found `b`
        `a = 1 2`, column 7: expected the end of the dependency, found `2`
        `()`, column 2: expected a capability, found `)`
        `(a`, column 3: expected `and`, `or`, `if`, `unless`, `with`, `without` or `)`, found the end
        `(a and b`, column 9: expected `and` or `)`; other operators need parentheses of their own, found the end
        `(a and b or c)`, column 10: expected `and` or `)`; other operators need parentheses of their own, found `or c)`
        `(a if b if c)`, column 9: expected `else` or `)`, found `if c)`
        `(a if b else c else d)`, column 16: expected `)`, found `else d)`
        `(a and)`, column 7: expected a capability, found `)`
        `(a or or)`, column 7: expected the name of a capability, found `or)`
        `(a and b) c`, column 11: expected the end of the dependency, found `c`
        `((a and b) with c)`, column 2: expected capabilities, `or`, `with` or `without` beside `with`: it is about one package, found `(a and b) with c)`
        `(a without (b if c))`, column 12: expected capabilities, `or`, `with` or `without` beside `without`: it is about one package, found `(b if c))`
        `liba(b`, column 7: expected `)`, found the end
        `!a`, column 1: expected a name that begins with a letter, a digit, `_` or `/`, found `!a`
        `(ä und b)`, column 4: expected `and`, `or`, `if`, `unless`, `with`, `without` or `)`, found `und b)`
        "#);
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(Dependency::parse(&deep).expect_err("too deep").to_string().contains("at most 64"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[ab()<=>:1.~^ é]{0,24}") {
            let _ = Dependency::parse(&text);
        }

        #[test]
        fn no_words_break_the_reader(words in proptest::collection::vec(any::<u8>(), 0..16)) {
            const WORDS: [&str; 12] = ["(", ")", "a", "b(c)", ">=", "1", "and", "or", "if", "else", "with", "unless"];
            let text = words.iter().map(|word| WORDS[usize::from(*word) % WORDS.len()]).collect::<Vec<_>>().join(" ");
            if let Ok(read) = Dependency::parse(&text) {
                let again = Dependency::parse(&read.to_string());
                prop_assert!(again.is_ok_and(|again| again == read));
            }
        }
    }
}
