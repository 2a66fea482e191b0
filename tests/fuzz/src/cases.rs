//! The corpus, and the case of a seed.

use crate::{Format, Source, bytes, text};
use kiln_testing::Rng;
use std::path::{Path, PathBuf};

/// Files larger than this are left out: cases are to be many.
const MAX_FILE: u64 = 1 << 16;

/// The programs of a corpus.
pub struct Corpus {
    format: Format,
    files: Vec<Vec<u8>>,
}

/// All files below a folder with this ending, in order.
pub fn find(folder: &Path, ending: &str, out: &mut Vec<PathBuf>) -> Result<(), String> {
    if folder.is_file() {
        out.push(folder.to_owned());
        return Ok(());
    }
    let list = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<PathBuf> = list.filter_map(|e| e.ok()).map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, ending, out)?;
        } else if path.extension().is_some_and(|e| e == ending) {
            out.push(path);
        }
    }
    Ok(())
}

impl Corpus {
    /// Reads the corpus.
    pub fn read(source: &Source) -> Result<Corpus, String> {
        let ending = match source.format {
            Format::Text => "mlir",
            Format::Bytecode => "mlirbc",
        };
        let mut paths = Vec::new();
        for folder in &source.corpus {
            find(folder, ending, &mut paths)?;
        }
        let small = |p: &PathBuf| std::fs::metadata(p).is_ok_and(|m| (1..=MAX_FILE).contains(&m.len()));
        let files: Vec<Vec<u8>> = paths.iter().filter(|p| small(p)).filter_map(|p| std::fs::read(p).ok()).collect();
        if files.is_empty() {
            return Err(format!("no `.{ending}` files of up to {MAX_FILE} bytes"));
        }
        Ok(Corpus { format: source.format, files })
    }

    /// The number of programs.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The damaged program of a seed.
    pub fn case(&self, seed: u64) -> Vec<u8> {
        let mut rng = Rng::new(seed);
        let file = rng.below(self.files.len());
        let other = &self.files[rng.below(self.files.len())];
        match self.format {
            Format::Text => text::damage(&self.files[file], other, &mut rng),
            Format::Bytecode => bytes::damage(&self.files[file], other, &mut rng),
        }
    }
}
