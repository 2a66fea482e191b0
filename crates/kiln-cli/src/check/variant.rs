//! Ways of compiling a program.

use crate::options::{CompileOptions, STAGES};
use kiln::optimizer::{PASSES, REQUIRED};

/// One way of compiling.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name in reports.
    pub name: String,
    /// What the compiler is told.
    pub options: CompileOptions,
}

/// The variants asked for: what the options say, then every other level, then every pass and stage turned off that can be.
pub fn all(options: &CompileOptions, every_level: bool, every_pass_off: bool) -> Vec<Variant> {
    let level = options.opt_level.unwrap_or(options.optimize().level);
    let name = if every_level { format!("level {level}") } else { "default".to_owned() };
    let mut out = vec![Variant { name, options: options.clone() }];
    if every_level {
        for other in (0..=2).rev().filter(|&l| l != level) {
            let options = CompileOptions { opt_level: Some(other), ..options.clone() };
            out.push(Variant { name: format!("level {other}"), options });
        }
    }
    if every_pass_off {
        for pass in PASSES.into_iter().filter(|p| !REQUIRED.contains(p)).chain(STAGES) {
            let mut options = options.clone();
            options.without_pass.push(pass.to_owned());
            out.push(Variant { name: format!("without {pass}"), options });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_valid_and_differs() {
        let all = all(&CompileOptions::default(), true, true);
        assert!(all.len() > 3 + STAGES.len());
        assert_eq!(all[0].name, "level 2");
        for (i, v) in all.iter().enumerate() {
            assert!(v.options.validate().is_ok(), "{}", v.name);
            assert!(all[..i].iter().all(|w| w.name != v.name && w.options != v.options), "{}", v.name);
        }
    }

    #[test]
    fn one_variant_unless_asked() {
        let all = all(&CompileOptions::default(), false, false);
        assert_eq!(all.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["default"]);
    }
}
