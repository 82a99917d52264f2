//! What the stores of the JavaScript package run is the core's, as a module of the package: no engine carries it.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::{env, fs, path::Path};

/// The module, with one constant for each kind of store: a bundle has only what it uses.
fn module() -> String {
    let mut module = String::from("// Derived from the core's `store::sql::TEXTS` by `make docs`.\n");
    let mut kind = "";
    for (name, text) in hookproof::store::sql::TEXTS {
        let (of, name) = name.split_once('.').expect("a kind of store and a name");
        if of != kind {
            module += if kind.is_empty() { "\n" } else { "} as const;\n\n" };
            module += &format!("export const {} = {{\n", of.to_uppercase());
            kind = of;
        }
        let text = text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${");
        let quote = if text.contains(['\n', '"']) { '`' } else { '"' };
        // As the formatter of the package breaks lines.
        let space = if quote == '"' && name.len() + text.len() > 113 { "\n    " } else { " " };
        module += &format!("  {name}:{space}{quote}{text}{quote},\n");
    }
    module + "} as const;\n"
}

#[test]
fn the_package_has_the_texts_of_the_core() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js/src/stores/texts.ts");
    if env::var_os("HOOKPROOF_DERIVE").is_some() {
        fs::write(&file, module()).expect("it can be written");
    }
    let written = fs::read_to_string(&file).expect("it can be read");
    assert!(written == module(), "{} is not what the core says: `make docs` writes it anew", file.display());
}
