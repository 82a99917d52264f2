//! The README's error table is the core's.

use hookproof::ErrorKind;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_error_table_has_every_code_with_its_status() {
    let after = README.split_once("<!-- errors").expect("the README marks its table").1;
    let rows = after.lines().skip(1).take_while(|line| line.starts_with('|')).skip(2);
    let cell = |line: &str, place: usize| line.split('|').nth(place).unwrap().trim().trim_matches('`').to_owned();
    let written: Vec<_> = rows.map(|line| (cell(line, 1), cell(line, 2))).collect();
    let known: Vec<_> = ErrorKind::ALL.iter().map(|kind| (kind.code().to_owned(), kind.status().to_string())).collect();
    assert_eq!(written, known);
}
