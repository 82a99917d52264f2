//! A whole verification beside the compressions and the HMAC that it cannot do without, and beside what it refuses.
//!
//! Only ratios within one run count: `cargo bench -p hookproof --bench verify`.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use hookproof::{Message, Request, Scheme, Secret, Signer, Verifier};
use sha2::Sha256;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NOW: i64 = 1_700_000_000;
/// What stands in front of the body in what is signed.
const CONTENT: &[u8] = b"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.1700000000.";

/// Real JSON of about this many bytes.
fn body(size: usize) -> Vec<u8> {
    let mut body = br#"{"type":"bench","data":["#.to_vec();
    while body.len() + 60 < size {
        body.extend_from_slice(br#"{"id":"evt_1f81eb52","amount":1200,"ok":true},"#);
    }
    body.extend_from_slice(b"0]}");
    body.resize(size, b' ');
    body
}

fn headers(body: &[u8]) -> Vec<(String, String)> {
    let signer = Signer::new(Scheme::named("standard-webhooks").unwrap(), Secret::new(SECRET).unwrap()).unwrap();
    let mut headers = signer.sign(&Message::new(body, NOW).id("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W")).unwrap().headers;
    for name in ["Host", "User-Agent", "Accept", "Content-Type", "Content-Length", "X-Request-Id"] {
        headers.push((name.into(), "value of a header".into()));
    }
    headers
}

fn verify(criterion: &mut Criterion) {
    let scheme = Scheme::named("standard-webhooks").unwrap();
    let one = Verifier::new(scheme.clone(), Secret::new(SECRET).unwrap()).unwrap();
    let two = Verifier::new(scheme, [Secret::new(OTHER).unwrap(), Secret::new(SECRET).unwrap()]).unwrap();
    let keyed = Hmac::<Sha256>::new_from_slice(b"0123456789abcdef01234567").unwrap();
    let mut group = criterion.benchmark_group("verify");
    for size in [256, 1024, 16 * 1024, 1024 * 1024] {
        let body = body(size);
        let headers = headers(&body);
        group.throughput(Throughput::Bytes(size as u64));
        // One compression for each block of what is signed and of its padding, and one more for the outer hash.
        let blocks = vec![[0; 64]; (CONTENT.len() + size + 9).div_ceil(64) + 1];
        group.bench_with_input(BenchmarkId::new("floor: compressions", size), &blocks, |bencher, blocks| {
            let mut state = [0; 8];
            bencher.iter(|| sha2::block_api::compress256(black_box(&mut state), black_box(blocks)));
        });
        group.bench_with_input(BenchmarkId::new("hmac and sha2, keyed state cloned", size), &body, |bencher, body| {
            bencher.iter(|| {
                let mut mac = keyed.clone();
                mac.update(CONTENT);
                mac.update(black_box(body));
                mac.finalize()
            });
        });
        group.bench_with_input(BenchmarkId::new("one secret", size), &body, |bencher, body| {
            bencher.iter(|| one.verify(black_box(&Request::new(&headers, body)), NOW).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("two secrets", size), &body, |bencher, body| {
            bencher.iter(|| two.verify(black_box(&Request::new(&headers, body)), NOW).unwrap());
        });
        let mut changed = body.clone();
        changed[10] ^= 1;
        group.bench_with_input(BenchmarkId::new("refused", size), &changed, |bencher, body| {
            bencher.iter(|| one.verify(black_box(&Request::new(&headers, body)), NOW).unwrap_err());
        });
    }
    let long = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", NOW.to_string()),
        ("webhook-signature", "v1,".to_owned() + &"A".repeat(8190)),
    ];
    group.bench_function("refused: a header of 8,193 bytes", |bencher| {
        bencher.iter(|| one.verify(black_box(&Request::new(&long, b"{}")), NOW).unwrap_err());
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
