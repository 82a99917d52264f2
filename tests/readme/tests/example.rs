//! The example verifies what Agentbot's document says, and nothing else.

const SECRET: &str = "agentbot secret";
const BODY: &[u8] = br#"{"event":"message.created"}"#;
const NOW: i64 = 1_700_000_000;
// printf '1700000000.{"event":"message.created"}' | openssl dgst -sha256 -hmac 'agentbot secret'
const SIGNATURE: &str = "t=1700000000,v1=eb5935d63c3c44c6da8e026bd3bc505bb6c7a9ef6e9bf254386105096a6b25e1";

fn headers() -> Vec<(&'static str, &'static str)> {
    vec![("X-Agentbot-Signature", SIGNATURE), ("X-Agentbot-Delivery-Id", "dlv_1")]
}

#[test]
fn the_rust_example_takes_an_authentic_delivery() {
    let id = hookproof_readme::example(SECRET, headers(), BODY, NOW).unwrap();
    assert_eq!(id.as_deref(), Some("dlv_1"));
}

#[test]
fn the_rust_example_refuses_another_body() {
    let error = hookproof_readme::example(SECRET, headers(), b"{}", NOW).unwrap_err();
    assert_eq!(error.code(), "signature_mismatch");
}
