//! The documents name only what is there, and the rules of the house that they state are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

/// Every Rust file below `folder`.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn what_the_documents_name_is_there() {
    let folders = ["shared/", "daemon/", "console/", "config/", "tests/", ".ci/"];
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = read(document);
        let named = text.split('`').skip(1).step_by(2);
        let paths = named.filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
        let mut count = 0;
        for path in paths {
            count += 1;
            assert!(root().join(path).exists(), "{document} names {path}, which is not there");
        }
        assert!(count > 3, "{document} names files");
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    let (store, mut files) = (root().join("shared/src/store"), Vec::new());
    for folder in ["shared/src", "daemon/src", "console/src"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.iter().any(|file| file.starts_with(&store)), "the store is where it was");
    let outside = files
        .iter()
        .filter(|file| !file.starts_with(&store) && **file != store.with_extension("rs"));
    for file in outside {
        let text = fs::read_to_string(file).unwrap();
        assert!(!text.contains("rusqlite"), "{} speaks to SQLite by itself", file.display());
    }
}

#[test]
fn dependencies_go_one_way() {
    for (manifest, strangers) in [
        ("console/Cargo.toml", &["marsad-daemon", "marsad-tests"][..]),
        ("daemon/Cargo.toml", &["marsad-console", "marsad-tests", "ratatui", "crossterm"]),
        (
            "shared/Cargo.toml",
            &[
                "marsad-daemon",
                "marsad-console",
                "marsad-tests",
                "reqwest",
                "axum",
                "ratatui",
                "crossterm",
            ],
        ),
    ] {
        let text = read(manifest);
        let named = |stranger: &&&str| text.lines().any(|line| line.starts_with(**stranger));
        assert_eq!(strangers.iter().find(named), None, "{manifest}");
    }
}
