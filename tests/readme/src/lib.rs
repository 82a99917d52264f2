//! The README's Rust example, compiled and run as it stands there: `build.rs` cuts it out.

include!(concat!(env!("OUT_DIR"), "/example.rs"));
