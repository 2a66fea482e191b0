//! Runs every file test, and checks that every graph among them means the same under every pass and level.

use kiln_filetests::{files, folder, means_the_same, run};
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for path in files() {
        let name = path.strip_prefix(folder()).unwrap_or(&path).display().to_string();
        if path.extension().is_some_and(|e| e == "kir") {
            let path = path.clone();
            let trial =
                Trial::test(format!("{name} means the same"), move || means_the_same(&path).map_err(Failed::from));
            trials.push(trial);
        }
        trials.push(Trial::test(name, move || run(&path).map_err(Failed::from)));
    }
    assert!(trials.len() > 20, "only {} file tests were found", trials.len());
    libtest_mimic::run(&arguments, trials).exit_code()
}
