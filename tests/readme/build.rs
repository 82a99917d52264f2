//! Puts the README's Rust example into a function.

use std::path::Path;

type Broken = Box<dyn std::error::Error>;

fn main() -> Result<(), Broken> {
    let readme = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = std::fs::read_to_string(readme)?;
    let example = text.split_once("```rust\n").and_then(|(_, after)| after.split_once("```"));
    let (example, _) = example.ok_or("the README has no Rust example")?;
    let function = format!(
        r#"
/// Runs the example and gives the delivery's id.
///
/// # Errors
/// Those of the example.
pub fn example(
    secret: &str,
    headers: Vec<(&str, &str)>,
    body: &[u8],
    now: i64,
) -> Result<Option<String>, hookproof::Error> {{
{example}
    Ok(delivery.id().map(String::from))
}}
"#
    );
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("example.rs"), function)?;
    Ok(())
}
