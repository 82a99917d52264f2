//! Turns `schemes/*.toml` into one table of compact JSON, so that nothing of TOML is there at run time.
#![allow(clippy::panic, clippy::expect_used, reason = "a build script reports by panicking")]

use std::{env, fs, path::Path};

fn main() {
    let folder = Path::new("schemes");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("schemes/ is readable")
        .map(|entry| entry.expect("schemes/ is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();

    let mut table = String::from("&[\n");
    for path in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(path).expect("a scheme file is UTF-8");
        let value: serde_json::Value =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let id = path.file_stem().and_then(|stem| stem.to_str()).expect("a scheme file has a name");
        assert_eq!(
            value.get("id").and_then(|id| id.as_str()),
            Some(id),
            "{}: the id is the file's name",
            path.display()
        );
        table.push_str(&format!("    ({id:?}, {:?}),\n", value.to_string()));
    }
    table.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("builtin.rs"), table).expect("OUT_DIR is writable");
}
