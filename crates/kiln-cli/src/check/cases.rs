//! Finding cases below a path.

use super::glob;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How a program is written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `program.mlir`, and `.mlir` files by themselves.
    Text,
    /// `program.generic.mlir`: the same in MLIR's generic form.
    Generic,
    /// `program.mlirbc`, and `.mlirbc` files by themselves: MLIR bytecode.
    Bytecode,
}

impl Form {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Generic => "generic",
            Form::Bytecode => "bytecode",
        }
    }
}

const FORMS: [(Form, &str); 3] =
    [(Form::Text, "program.mlir"), (Form::Generic, "program.generic.mlir"), (Form::Bytecode, "program.mlirbc")];

/// Deepest nesting of folders.
const MAX_DEPTH: usize = 64;

/// A file that checks itself, or a folder with a program and what it has to compute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// The file's name without suffix, or the folder's.
    pub name: String,
    /// The file or folder as it was found.
    pub path: PathBuf,
    /// The folder with inputs and outputs, if it is one.
    pub folder: Option<PathBuf>,
    /// The files that hold the program.
    pub files: Vec<(Form, PathBuf)>,
}

impl Case {
    /// True when name or path fit the pattern.
    pub fn matches(&self, pattern: &str) -> bool {
        glob::matches(pattern, &self.name) || glob::matches(pattern, &self.path.to_string_lossy())
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.trim_end_matches(".mlirbc").trim_end_matches(".mlir").to_owned()
}

fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "mlir" => Some(Form::Text),
        "mlirbc" => Some(Form::Bytecode),
        _ => None,
    }
}

/// Appends the cases at and below a path, in the order of their names.
///
/// # Errors
/// When the path cannot be read, or is a file of another kind.
pub fn find(path: &Path, forms: &[Form], out: &mut Vec<Case>) -> std::io::Result<()> {
    // What a user names may be a link; below that, links are not followed.
    if std::fs::metadata(path)?.is_dir() {
        return walk(path, forms, 0, out);
    }
    match form_of(path) {
        Some(form) => {
            out.push(file(path, form));
            Ok(())
        }
        None => Err(std::io::Error::other("not a .mlir or .mlirbc file")),
    }
}

fn file(path: &Path, form: Form) -> Case {
    Case { name: name_of(path), path: path.to_owned(), folder: None, files: vec![(form, path.to_owned())] }
}

fn walk(folder: &Path, forms: &[Form], depth: usize, out: &mut Vec<Case>) -> std::io::Result<()> {
    if FORMS.iter().any(|(_, name)| folder.join(name).is_file()) {
        let files: Vec<(Form, PathBuf)> = FORMS
            .iter()
            .filter(|(form, _)| forms.contains(form))
            .map(|(form, name)| (*form, folder.join(name)))
            .filter(|(_, file)| file.is_file())
            .collect();
        if !files.is_empty() {
            let (name, path) = (name_of(folder), folder.to_owned());
            out.push(Case { name, folder: Some(path.clone()), path, files });
        }
        return Ok(());
    }
    if depth >= MAX_DEPTH {
        return Err(std::io::Error::other(format!("{}: folders nested too deep", folder.display())));
    }
    let mut entries = std::fs::read_dir(folder)?
        .map(|e| e.and_then(|e| Ok((e.path(), e.file_type()?))))
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kind) in entries {
        match form_of(&path) {
            _ if kind.is_dir() => walk(&path, forms, depth + 1, out)?,
            Some(form) if kind.is_file() && (forms.contains(&form)) => out.push(file(&path, form)),
            _ => {}
        }
    }
    Ok(())
}
