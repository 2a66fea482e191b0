//! Files: header, input, expectation, and the errors that are expected at their lines.

use crate::{Outcome, snapshot};
use std::path::{Path, PathBuf};

/// One command of a header with its words.
#[derive(Clone, Debug)]
pub struct Command {
    /// `opt`.
    pub name: String,
    /// What follows `=`, or nothing.
    pub argument: String,
    /// Further words: `level=0`, `checks`.
    pub words: Vec<(String, String)>,
}

impl Command {
    /// The words as numbers, where all are.
    ///
    /// # Errors
    /// The word that has none.
    pub fn numbers(&self) -> Result<Vec<(&str, i64)>, String> {
        let number =
            |(name, value): &'_ (String, String)| value.parse().map_err(|_| format!("`{name}` takes a number"));
        self.words.iter().map(|w| Ok((w.0.as_str(), number(w)?))).collect()
    }
}

/// Something wrong with an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The line in the file, from 1; 0 where none is known.
    pub line: u32,
    /// Code and message.
    pub text: String,
}

/// A file test.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What runs, at least one.
    pub commands: Vec<Command>,
    /// What the commands take, on the lines of the file.
    pub input: String,
    /// Values of inputs: name, literal and type.
    pub inputs: Vec<(String, String)>,
    /// All before the expectation.
    head: String,
    /// The errors expected, with their lines.
    errors: Vec<Problem>,
}

/// Commands that share a header with another.
const JOINED: [&str; 2] = ["interpret", "run"];

impl TestFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or has no header.
    pub fn read(path: &Path) -> Result<TestFile, String> {
        let content = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        TestFile::parse(path, &content).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(path: &Path, content: &str) -> Result<TestFile, String> {
        let lines: Vec<&str> = content.lines().collect();
        let header =
            lines.first().and_then(|l| l.strip_prefix("// test ")).ok_or("the first line is no `// test ...`")?;
        let trailing = lines.iter().rev().take_while(|l| l.starts_with("//")).count();
        let start = lines.len() - trailing;
        // An input that is nothing but comments, or a comment right behind it, is no expectation.
        let start = if start > 0 && lines[start - 1].is_empty() { start } else { lines.len() };
        let mut file = TestFile {
            path: path.to_owned(),
            commands: commands(header)?,
            input: String::new(),
            inputs: Vec::new(),
            head: lines[..start].join("\n").trim_end().to_owned() + "\n",
            errors: Vec::new(),
        };
        for (i, line) in lines[..start].iter().enumerate() {
            if let Some((name, value)) = line.strip_prefix("// in ").and_then(|l| l.split_once(" = ")) {
                file.inputs.push((name.to_owned(), value.to_owned()));
            }
            let (code, comment) = line.split_once("//").unwrap_or((line, ""));
            if let Some(text) = comment.trim().strip_prefix("error: ") {
                // In a line of its own: an error of the whole file.
                let line = if code.is_empty() { 0 } else { i as u32 + 1 };
                file.errors.push(Problem { line, text: text.to_owned() });
            }
            // Lines stay where they are; what stands in a string is not touched.
            let code = if comment.trim().starts_with("error: ") || code.is_empty() { code } else { line };
            file.input += code.trim_end();
            file.input.push('\n');
        }
        Ok(file)
    }

    /// Compares what a command made with what is expected, or writes it.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, outcome: Outcome) -> Result<(), String> {
        match outcome {
            Err(problems) => self.compare_errors(&problems),
            Ok(_) if !self.errors.is_empty() => {
                let missing: Vec<String> = self.errors.iter().map(|e| format!("line {}: {}", e.line, e.text)).collect();
                Err(format!("{}: nothing was wrong, but expected were\n{}", self.path.display(), missing.join("\n")))
            }
            Ok(text) => snapshot(&self.path, &format!("{}{}", self.head, commented(&text))),
        }
    }

    fn compare_errors(&self, problems: &[Problem]) -> Result<(), String> {
        let meets = |p: &Problem, e: &Problem| p.line == e.line && p.text.contains(&e.text);
        let unexpected = problems.iter().filter(|p| !self.errors.iter().any(|e| meets(p, e)));
        let missing = self.errors.iter().filter(|e| !problems.iter().any(|p| meets(p, e)));
        let mut wrong: Vec<String> = unexpected.map(|p| format!("not expected, line {}: {}", p.line, p.text)).collect();
        wrong.extend(missing.map(|e| format!("did not come, line {}: {}", e.line, e.text)));
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}:\n{}", self.path.display(), wrong.join("\n"))) }
    }
}

fn commented(text: &str) -> String {
    let lines = text.lines().map(|l| if l.is_empty() { "//\n".to_owned() } else { format!("// {l}\n") });
    if text.is_empty() { String::new() } else { format!("\n{}", lines.collect::<String>()) }
}

/// The commands of a header: the first word, with the others as its options, or several of those that may be joined.
fn commands(header: &str) -> Result<Vec<Command>, String> {
    let words: Vec<(String, String)> = (header.split_whitespace())
        .map(|w| w.split_once('=').unwrap_or((w, "")))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    let command = |(name, argument): &(String, String), words: &[(String, String)]| Command {
        name: name.clone(),
        argument: argument.clone(),
        words: words.to_vec(),
    };
    let joined = words.iter().take_while(|w| JOINED.contains(&w.0.as_str())).count();
    match words.split_first() {
        None => Err("the header names no command".into()),
        Some(_) if joined > 1 => Ok(words[..joined].iter().map(|w| command(w, &words[joined..])).collect()),
        Some((first, rest)) => Ok(vec![command(first, rest)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> TestFile {
        TestFile::parse(Path::new("a.kir"), text).expect("a file test")
    }

    #[test]
    fn parts_are_told_apart() {
        let f = file(
            "// test opt=fold bytes=4\n// About.\nfunc @f\n  %0 = x  // error: add.C1\n}\n\n// rules: none\n//\n// b\n",
        );
        assert_eq!((f.commands[0].name.as_str(), f.commands[0].argument.as_str()), ("opt", "fold"));
        assert_eq!(f.commands[0].numbers(), Ok(vec![("bytes", 4)]));
        assert_eq!(f.input, "\n\nfunc @f\n  %0 = x\n}\n\n");
        assert!(f.head.ends_with("error: add.C1\n}\n"), "{}", f.head);
        assert_eq!(f.errors, [Problem { line: 4, text: "add.C1".into() }]);
        assert_eq!(commented("rules: none\n\nb\n"), "\n// rules: none\n//\n// b\n");
    }

    #[test]
    fn commands_that_agree_share_a_file() {
        let f = file("// test interpret run\n// in x = 1.0 : f32[]\nfunc\n");
        assert_eq!(f.commands.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["interpret", "run"]);
        assert_eq!(f.inputs, [("x".to_owned(), "1.0 : f32[]".to_owned())]);
        assert!(f.head.ends_with("func\n"));
    }

    #[test]
    fn errors_are_met_one_by_one() {
        let f = file("// test verify\nx  // error: add.C1\n");
        let problem = |line, text: &str| Problem { line, text: text.into() };
        assert_eq!(f.compare(Err(vec![problem(2, "add.C1: types differ")])), Ok(()));
        assert!(f.compare(Err(vec![problem(3, "add.C1")])).is_err(), "another line");
        assert!(f.compare(Err(vec![])).is_err(), "it did not come");
        assert!(f.compare(Ok(String::new())).is_err(), "nothing was wrong");
    }
}
