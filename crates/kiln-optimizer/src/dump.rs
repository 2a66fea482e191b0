//! The files of `KILN_DUMP`.

use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Longer names of graphs are cut in file names.
const MAX_NAME: usize = 100;

/// The files of one compilation, in order: `NAME.000.input.kir`, `NAME.001.inline_composites.kir`, and so on.
///
/// `NAME` is the graph's name with `_` for what does not belong in a file name. Nothing is overwritten: where a directory holds
/// a compilation of that name already, say for other sizes, the next one is `NAME.2`.
#[derive(Clone, Debug)]
pub struct Dump {
    dir: PathBuf,
    stem: String,
    next: u32,
}

impl Dump {
    /// Makes the directory, if it is not there, and writes the first file of a compilation of the graph called `name`. `what`
    /// is the end of the file's name, as `input.kir`.
    ///
    /// # Errors
    /// When it cannot be written, naming the file.
    pub fn start(dir: &Path, name: &str, what: &str, text: &str) -> Result<Dump, Error> {
        std::fs::create_dir_all(dir).map_err(|e| explained(&e, dir))?;
        let name = file_name(name);
        let mut dump = Dump { dir: dir.to_owned(), stem: name.clone(), next: 0 };
        let mut copy = 1;
        loop {
            match dump.write(what, text) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    copy += 1;
                    dump = Dump { stem: format!("{name}.{copy}"), next: 0, ..dump };
                }
                result => return result.map(|()| dump),
            }
        }
    }

    /// Writes the next file of the compilation.
    ///
    /// # Errors
    /// As [`Dump::start`], and when there is such a file.
    pub fn write(&mut self, what: &str, text: &str) -> Result<(), Error> {
        let path = self.dir.join(format!("{}.{:03}.{what}", self.stem, self.next));
        self.next += 1;
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(|e| explained(&e, &path))
    }
}

fn explained(e: &Error, path: &Path) -> Error {
    Error::new(e.kind(), format!("cannot write {}: {e}", path.display()))
}

/// A graph's name as the beginning of a file name. What is cut off is told apart by a hash.
fn file_name(name: &str) -> String {
    let clean: String =
        name.chars().map(|c| if c.is_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect();
    if clean.is_empty() {
        return "graph".to_owned();
    }
    if clean.len() <= MAX_NAME {
        return clean;
    }
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    let end = (0..=MAX_NAME).rev().find(|&i| clean.is_char_boundary(i)).unwrap_or(0);
    format!("{}-{:016x}", &clean[..end], hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_graphs_become_names_of_files() {
        assert_eq!(file_name("encoder/layer 0:q.k"), "encoder_layer_0_q_k");
        assert_eq!(file_name("../x"), "___x");
        assert_eq!(file_name(""), "graph");
        assert_eq!(file_name("größe-1"), "größe-1");
        let long = |last: char| file_name(&("ä".repeat(300) + &last.to_string()));
        assert_eq!(long('a').len(), MAX_NAME + 17);
        assert_ne!(long('a'), long('b'));
    }
}
