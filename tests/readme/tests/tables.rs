//! The README's tables say what the core does. `UPDATE_README=1 cargo test -p hookproof-readme` writes the derived one.

use std::path::PathBuf;

use hookproof::{ErrorKind, Scheme};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

/// The lines of the table that follows a marker.
fn table(readme: &str, marker: &str) -> Vec<String> {
    let after = readme.split_once(marker).expect("the marker is in the README").1;
    after.lines().skip(1).take_while(|line| line.starts_with('|')).map(String::from).collect()
}

#[test]
fn the_error_table_has_every_code_with_its_status() {
    let readme = std::fs::read_to_string(path()).unwrap();
    let cells = |line: &String| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
        (cells.next().unwrap(), cells.next().unwrap())
    };
    let written: Vec<_> = table(&readme, "<!-- errors").iter().skip(2).map(cells).collect();
    let known: Vec<_> = ErrorKind::ALL.iter().map(|kind| (kind.code().to_owned(), kind.status().to_string())).collect();
    assert_eq!(written, known);
}

#[test]
fn the_provider_table_is_derived_from_the_scheme_files() {
    let readme = std::fs::read_to_string(path()).unwrap();
    let mut derived = vec!["| id | provider | evidence |".to_owned(), "|---|---|---|".to_owned()];
    for name in Scheme::names() {
        let scheme = Scheme::named(name).unwrap();
        derived.push(format!("| `{name}` | {} | {} |", scheme.title(), scheme.evidence()));
    }
    let written = table(&readme, "<!-- providers");
    if written != derived && std::env::var_os("UPDATE_README").is_some() {
        let (before, after) = readme.split_once("<!-- providers").unwrap();
        let (marker, after) = after.split_once('\n').unwrap();
        let rest: Vec<_> = after.lines().skip_while(|line| line.starts_with('|')).collect();
        let new = format!("{before}<!-- providers{marker}\n{}\n{}\n", derived.join("\n"), rest.join("\n"));
        std::fs::write(path(), new).unwrap();
        return;
    }
    assert_eq!(written, derived, "run: UPDATE_README=1 cargo test -p hookproof-readme");
}
