//! The architecture's arrows: which crate may know which.

use std::collections::{BTreeMap, BTreeSet};

/// Each crate with the crates of the workspace that it may depend on (development dependencies aside).
const ALLOWED: &[(&str, &[&str])] = &[
    ("kiln-spec", &[]),
    ("kiln-ir", &[]),
    ("kiln-interp", &["kiln-ir"]),
    ("kiln-autodiff", &["kiln-ir"]),
    ("kiln-loops", &["kiln-ir"]),
    ("kiln-program", &["kiln-ir"]),
    ("kiln-kernels", &["kiln-ir", "kiln-program"]),
    ("kiln-builder", &["kiln-ir", "kiln-autodiff"]),
    ("kiln-optimizer", &["kiln-ir", "kiln-interp"]),
    ("kiln-artifact", &["kiln-ir", "kiln-program"]),
    ("kiln-runtime", &["kiln-ir", "kiln-kernels", "kiln-program", "kiln-artifact"]),
    ("kiln-plan", &["kiln-ir", "kiln-program"]),
    ("kiln-lower", &["kiln-ir", "kiln-loops", "kiln-plan", "kiln-program"]),
    ("kiln-cpu", &["kiln-ir", "kiln-kernels", "kiln-loops", "kiln-plan", "kiln-program"]),
    ("kiln-gpu", &["kiln-ir", "kiln-loops"]),
    ("kiln-nn", &["kiln-ir", "kiln-builder"]),
    ("kiln-import", &["kiln-ir", "kiln-interp", "kiln-builder"]),
    ("kiln-stablehlo", &["kiln-ir", "kiln-interp", "kiln-builder", "kiln-import"]),
    ("kiln-cli", &["kiln", "kiln-stablehlo"]),
    (
        "kiln",
        &[
            "kiln-builder",
            "kiln-cpu",
            "kiln-interp",
            "kiln-ir",
            "kiln-loops",
            "kiln-lower",
            "kiln-nn",
            "kiln-optimizer",
            "kiln-plan",
            "kiln-program",
            "kiln-runtime",
            "kiln-stablehlo",
        ],
    ),
];

/// The crates of the workspace named in the `[dependencies]` section of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("\n[").find_map(|s| s.strip_prefix("dependencies]")).unwrap_or_default();
    let names = section.lines().filter_map(|l| l.split(['=', '.', ' ']).next());
    names.filter(|n| *n == "kiln" || n.starts_with("kiln-")).map(str::to_owned).collect()
}

#[test]
fn arrows_run_down_only() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let folders = std::fs::read_dir(root.join("crates")).expect("the crates are there");
    let manifests =
        folders.map(|f| f.expect("readable").path().join("Cargo.toml")).chain([root.join("graph-spec/Cargo.toml")]);
    for path in manifests {
        let manifest = std::fs::read_to_string(&path).expect("every crate has a manifest");
        let name =
            manifest.lines().find_map(|l| l.strip_prefix("name = \"")?.strip_suffix('"')).expect("a name").to_owned();
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no place in the architecture"));
        for d in dependencies(&manifest) {
            assert!(allowed.contains(&d.as_str()), "{name} must not know {d}");
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), ALLOWED.len(), "every crate of the architecture is there");
}

/// All that a crate links, crates of the workspace and others.
fn linked(package: &str) -> String {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal,build", "-p", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && tree.contains("kiln-ir"), "{}", String::from_utf8_lossy(&output.stderr));
    tree
}

#[test]
fn the_runtime_links_no_compiler_and_programs_link_no_kernels() {
    let runtime = linked("kiln-runtime");
    for unwanted in ["cranelift", "kiln-optimizer", "kiln-plan", "kiln-lower", "kiln-cpu", "kiln-gpu"] {
        assert!(!runtime.contains(unwanted), "kiln-runtime depends on {unwanted}");
    }
    assert!(!linked("kiln-program").contains("kiln-kernels"), "kiln-program depends on kiln-kernels");
    assert!(!linked("kiln-artifact").contains("kiln-kernels"), "kiln-artifact depends on kiln-kernels");
}
