//! What the documentation lists is what the core does. `UPDATE_DOCS=1 cargo test -p hookproof-readme` writes the derived
//! page.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

use std::path::PathBuf;

use hookproof::{Coverage, ErrorKind, Evidence, Scheme};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The cells of the table that follows a marker, without its head.
fn rows(page: &str, marker: &str) -> Vec<Vec<String>> {
    let after = page.split_once(marker).expect("the marker is on the page").1;
    let lines = after.lines().skip(1).take_while(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.map(cells).collect()
}

#[test]
fn the_error_table_has_every_code_with_its_status() {
    let readme = std::fs::read_to_string(path("README.md")).unwrap();
    let written: Vec<_> =
        rows(&readme, "<!-- errors").iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone())).collect();
    let known: Vec<_> = ErrorKind::ALL.iter().map(|kind| (kind.code().to_owned(), kind.status().to_string())).collect();
    assert_eq!(written, known);
}

#[test]
fn the_provider_page_is_derived_from_the_scheme_files() {
    let derived = provider_page();
    let page = path("docs/providers.md");
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    if written != derived && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page, derived).unwrap();
        return;
    }
    assert!(written == derived, "docs/providers.md is old: UPDATE_DOCS=1 cargo test -p hookproof-readme");
}

#[test]
fn the_readme_counts_the_providers() {
    const AFTER: &str = " providers are built in";
    let readme = std::fs::read_to_string(path("README.md")).unwrap();
    let (before, after) = readme.split_once(AFTER).unwrap();
    let (before, written) = before.rsplit_once(char::is_whitespace).unwrap();
    let count = Scheme::names().count().to_string();
    if written != count && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path("README.md"), format!("{before}\n{count}{AFTER}{after}")).unwrap();
        return;
    }
    assert_eq!(written, count, "README.md: UPDATE_DOCS=1 cargo test -p hookproof-readme");
}

fn provider_page() -> String {
    let mut page = String::from(
        "# Providers\n\n\
         Derived from `crates/hookproof/schemes`; `hookproof providers NAME` says more about each.\n\n\
         - **signs**: what the signature covers: the whole body, a part of it, or nothing (a token shows who sends, not \
         what was sent).\n\
         - **time**: whether a time is signed. Where none is, nothing but dedup stops a replay.\n\
         - **id**: whether the delivery id is signed. Where it is not, the body's hash is the identity.\n\
         - **evidence**: where the test vectors come from. Only `published` ones are called verified.\n\n\
         | id | provider | signs | time | id | evidence |\n\
         |---|---|---|---|---|---|\n",
    );
    for name in Scheme::names() {
        let scheme = Scheme::named(name).unwrap();
        let signs = match scheme.coverage() {
            Coverage::Body => "body",
            Coverage::Partial => "part",
            Coverage::None => "nothing",
        };
        let evidence = match scheme.evidence() {
            Evidence::Published => "published",
            Evidence::ThirdParty => "third-party",
            Evidence::Computed => "computed",
            Evidence::None => "none",
        };
        let signed = |is| if is { "signed" } else { "-" };
        let (time, id) = (signed(scheme.is_timed()), signed(scheme.id_is_signed()));
        page.push_str(&format!("| `{name}` | {} | {signs} | {time} | {id} | {evidence} |\n", scheme.title()));
    }
    page
}
